"""A revision: one environment at one commit, and what makes it a rollback."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_wf.core.environment import Environment
from gitops_wf.core.identifiers import EnvironmentId, Sha
from gitops_wf.core.phases import Phase
from gitops_wf.core.workflow import Workflow

REMOVED = "removed"
"""The inputs of a revision whose commit removed the environment's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One environment at one commit; prints ``prod#12 main@sha1:4f1c2d9e``.

    ``position`` is the commit's place in the walk of its branch, counted per
    repository: what came first is a comparison of positions. ``released``
    marks the last one that Succeeded. ``barred`` ones were rejected: their
    inputs never again count as a rollback. ``keeps`` says that its next run is a
    retry, which keeps what succeeded. ``environment_definition`` and
    ``workflow`` are frozen here as they stood at the commit; an invalid
    definition has neither and says why in ``message``. ``earlier_runs`` counts those
    that a lost store knew of.
    """

    environment: EnvironmentId
    number: int
    commit: Sha
    branch: str
    position: int
    inputs: str
    phase: Phase = Phase.PENDING
    reason: str = ""
    message: str = ""
    rollback_of: int | None = None
    reverts: tuple[Sha, ...] = ()
    released: bool = False
    barred: bool = False
    keeps: bool = False
    author: str = ""
    author_email: str = ""
    subject: str = ""
    source: str = ""
    changed: tuple[str, ...] = ()
    created: datetime
    ended: datetime | None = None
    environment_definition: Environment | None = None
    workflow: Workflow | None = None
    earlier_runs: int = 0

    @property
    def is_rollback(self) -> bool:
        """Whether its content alone says that it goes back."""
        return self.rollback_of is not None

    @property
    def is_removal(self) -> bool:
        """Whether its commit removed the folder: it deletes what is on the targets."""
        return self.inputs == REMOVED


def rollback_of(same: Sequence[Revision]) -> int | None:
    """Return the number of the newest earlier revision that one goes back to.

    By content alone: ``same`` are the earlier revisions with equal inputs, and one
    of them Succeeded and none is barred. What a commit message claims plays no part
    (design 3.3). Barred inputs stay barred under every number that had them.
    """
    if any(revision.barred for revision in same):
        return None
    good = [r.number for r in same if r.phase is Phase.SUCCEEDED]
    return max(good, default=None)
