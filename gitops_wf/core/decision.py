"""An entry of the approvals file, who introduced it, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gitops_wf.core.identifiers import EnvironmentId, Sha, StepName
from gitops_wf.core.policy import Identity


class Verb(StrEnum):
    """What a decision asks for."""

    APPROVE = "approve"
    REJECT = "reject"
    RETRY = "retry"
    REDEPLOY = "redeploy"
    ABORT = "abort"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class EntryKey:
    """What makes two entries the same; comment and order do not.

    Whoever pins other content decides anew, so the digest does.
    """

    revision: str
    step: str
    decision: str
    by: str
    run: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as written. ``revision`` is the scalar's own text."""

    revision: str
    decision: Verb
    step: StepName | None = None
    by: str = ""
    run: int | None = None
    comment: str = ""
    digest: str = ""
    expires: datetime | None = None
    path: str = ""
    line: int = 0

    @property
    def key(self) -> EntryKey:
        """The entry's identity across edits, moves and files."""
        return EntryKey(
            revision=self.revision.casefold(),
            step=self.step or "",
            decision=self.decision,
            by=self.by.casefold(),
            run="" if self.run is None else str(self.run),
            digest=self.digest.casefold(),
        )


class Effect(StrEnum):
    """What came of a decision."""

    ACCEPTED = "accepted"
    """Judged good; it acts when its step is reached, or already did."""
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An entry introduced by a person's commit, and its verdict.

    The verdict, with the digest of the policy behind it, is stored when the
    decision is judged and not judged again. ``counts_for`` maps each
    requirement (``step``, ``gate:<target>``) to why it does not count there,
    or to the empty string where it does. ``step`` is the one that is meant, where
    the entry leaves it out too.
    """

    environment: EnvironmentId
    entry: Entry
    commit: Sha
    brought_by: Sha
    position: int
    person: str
    evidence: Identity
    at: datetime
    revision: int | None = None
    step: StepName | None = None
    effect: Effect = Effect.ACCEPTED
    reason: str = ""
    policy_digest: str = ""
    counts_for: Mapping[str, str] | None = None
    acted: bool = False
    id: int = 0
