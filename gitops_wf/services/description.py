"""Everything about one environment, and what a person can do about it."""

from dataclasses import asdict, dataclass
from datetime import timedelta

from gitops_wf.core.durations import format_duration
from gitops_wf.core.environment import Drift
from gitops_wf.core.identifiers import environment_name
from gitops_wf.core.policy import Freeze, Gate, Policy
from gitops_wf.core.revision import Revision
from gitops_wf.services.approvals import Waiting
from gitops_wf.services.views import (
    DecisionView,
    EnvironmentView,
    EventView,
    InventoryView,
    Json,
    RepositoryView,
    RevisionView,
    RunView,
    policy_json,
    waiting_json,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Everything about one environment, or about one of its revisions.

    ``revision`` is the one described: the current, or the one that was asked for;
    ``run`` its newest run. ``policy`` is the one that its approvals are judged by, and
    ``drift`` how the released revision is compared, the daemon config's share included.
    """

    environment: EnvironmentView
    repository: RepositoryView
    revision: RevisionView | None
    run: RunView | None
    policy: Policy
    drift: Drift
    gates: tuple[Gate, ...]
    freezes: tuple[Freeze, ...]
    revisions: tuple[RevisionView, ...]
    decisions: tuple[DecisionView, ...]
    inventories: tuple[InventoryView, ...]
    events: tuple[EventView, ...]

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """What the described revision waits for."""
        return self.revision.waiting if self.revision else ()

    @property
    def approvals_path(self) -> str:
        """The file that a decision is written to, from the repository's root."""
        folder = self.environment.record.folder
        return f"{folder}/approvals.yaml" if folder else "approvals.yaml"

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        revision = self.revision.revision if self.revision else None
        return {
            **self.environment.as_json(),
            "source": self.repository.as_json(),
            "policy": policy_json(self.policy),
            "drift": {
                "interval": format_duration(self.drift.interval or timedelta()),
                "selfHeal": bool(self.drift.self_heal),
                "ignore": [
                    {
                        "paths": list(rule.paths),
                        "managers": list(rule.managers),
                        "target": asdict(rule.target),
                    }
                    for rule in self.drift.ignore
                ],
            },
            "gates": [
                {
                    "target": gate.target,
                    **policy_json(gate.policy),
                    "rollback": str(gate.rollback),
                }
                for gate in self.gates
            ],
            "freezes": [
                {
                    "windows": [str(window) for window in freeze.windows],
                    "rollbacks": "held" if freeze.holds_rollbacks else "pass",
                    "override": policy_json(freeze.override)
                    if freeze.override
                    else None,
                }
                for freeze in self.freezes
            ],
            "revision": self.revision.as_json() if self.revision else None,
            "run": self.run.as_json() if self.run else None,
            "approve": [
                {
                    **waiting_json(waiting),
                    "command": approve_command(revision, waiting),
                    "path": self.approvals_path,
                    "entry": approve_entry(revision, waiting),
                }
                for waiting in self.waiting
                if revision is not None
            ],
            "revisions": [each.as_json() for each in self.revisions],
            "decisions": [each.as_json() for each in self.decisions],
            "inventories": [each.as_json() for each in self.inventories],
            "events": [each.as_json() for each in self.events],
        }


def approve_command(revision: Revision, waiting: Waiting) -> str:
    """Return the command that would approve."""
    name = environment_name(revision.environment)
    return (
        f"gitops-wf approve {name} --revision {revision.commit[:8]}"
        f" --step {waiting.step} --push"
    )


def approve_entry(revision: Revision, waiting: Waiting) -> str:
    """Return the line of the approvals file that would approve."""
    return (
        f"- {{revision: '{revision.commit}', step: {waiting.step}, decision: approve}}"
    )
