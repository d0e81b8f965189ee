"""Phases and reasons as users see them.

``Failed`` means that it ran and the answer is no; ``Errored`` that it could not
be found out. Kargo and Argo CD make the same difference.
"""

from enum import StrEnum


class Phase(StrEnum):
    """Where a revision, run or step stands; only steps are ever ``Skipped``."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERRORED = "Errored"
    ABORTED = "Aborted"
    SKIPPED = "Skipped"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows this phase."""
        return self in FINAL

    @property
    def is_bad(self) -> bool:
        """Whether what comes after it must not go on as if all were well."""
        return self in BAD


FINAL = frozenset(
    {Phase.SUCCEEDED, Phase.FAILED, Phase.ERRORED, Phase.ABORTED, Phase.SKIPPED}
)
BAD = frozenset({Phase.FAILED, Phase.ERRORED, Phase.ABORTED})


class Reason(StrEnum):
    """The PascalCase cause beside a phase; a step type may add its own words."""

    ABORTED = "Aborted"
    ADOPTED = "Adopted"
    APPROVAL_REQUIRED = "ApprovalRequired"
    CONDITION_FALSE = "ConditionFalse"
    DEPENDENCY_FAILED = "DependencyFailed"
    EXECUTION_ERROR = "ExecutionError"
    FINAL_TIMEOUT = "FinalTimeout"
    FREEZE_WINDOW = "FreezeWindow"
    GROUP_SKIPPED = "GroupSkipped"
    HEALTH_CHECK_FAILED = "HealthCheckFailed"
    HISTORY_REWRITTEN = "HistoryRewritten"
    INVALID_DEFINITION = "InvalidDefinition"
    INVALID_EXPRESSION = "InvalidExpression"
    KEPT = "Kept"
    OWNED_BY_ANOTHER = "OwnedByAnother"
    PAUSED = "Paused"
    REJECTED = "Rejected"
    REMOVED = "Removed"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    RETRYING = "Retrying"
    STEP_FAILED = "StepFailed"
    STORE_BEHIND = "StoreBehind"
    SUPERSEDED = "Superseded"
    TARGET_NOT_ALLOWED = "TargetNotAllowed"
    TARGET_NOT_CONFIGURED = "TargetNotConfigured"
    TIMEOUT = "Timeout"
    WAITING_FOR_ENVIRONMENT = "WaitingForEnvironment"


HELD = frozenset({Reason.APPROVAL_REQUIRED, Reason.FREEZE_WINDOW, Reason.PAUSED})
"""Why a step is kept from beginning: once let go, it is carried out from the start."""
