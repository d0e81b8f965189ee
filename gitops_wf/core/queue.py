"""Which revision of an environment runs, and which end without having run.

The rules of superseding stand here and nowhere else (design 3.2 and 3.3):

- A rollback goes first: it supersedes every older revision that has not ended,
  running ones included, under every policy.
- ``latest``: the newest wins; every older one is superseded.
- ``every``: each runs, in order; but a run that waits for an approval is superseded
  when a newer revision is pending, and when more than ``max_pending`` wait, all but
  the newest are.
- ``strict``: each runs, in order, waiting included.
- A revision that waits for another environment's, which ended otherwise than
  Succeeded, can never begin: under every policy a newer one takes its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gitops_wf.core.durations import format_duration
from gitops_wf.core.environment import After, Commits
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run


class InLine(Protocol):
    """What the rules ask of a revision that has not ended."""

    @property
    def number(self) -> int:
        """Its number."""

    @property
    def phase(self) -> Phase:
        """Where it stands."""

    @property
    def is_rollback(self) -> bool:
        """Whether it goes back to what Succeeded before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """No more than the rules ask: thousands may stand in line, and each turn asks."""

    number: int
    phase: Phase
    is_rollback: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What follows for an environment's revisions that have not ended.

    ``superseded`` are those that never run, each with the number of the one that
    took its place; ``end_active_for`` is the number for which the run in progress
    must end; ``next`` is the one that may begin, if nothing else holds it.
    """

    superseded: tuple[tuple[int, int], ...] = ()
    end_active_for: int | None = None
    next: InLine | None = None


def arrange(
    *,
    commits: Commits,
    max_pending: int,
    unfinished: Sequence[InLine],
    active: Run | None,
) -> Queue:
    """Apply the rules to the revisions that have not ended, oldest first."""
    running = None if active is None else active.subject.number
    pending = [
        r
        for r in unfinished
        if r.number != running and (active is None or r.phase is Phase.PENDING)
    ]
    if not pending:
        return Queue()
    first = _first_to_keep(commits, max_pending, pending)
    superseded = tuple(
        (r.number, first.number) for r in pending if r.number < first.number
    )
    kept = [r for r in pending if r.number >= first.number]
    end_for = None
    if active is not None and active.ending is None:
        end_for = _end_for(commits, active, pending, first)
    return Queue(
        superseded=superseded,
        end_active_for=end_for,
        next=kept[0] if active is None else None,
    )


def _first_to_keep(
    commits: Commits, max_pending: int, pending: Sequence[InLine]
) -> InLine:
    newest = pending[-1]
    if commits is Commits.LATEST:
        return newest
    if commits is Commits.EVERY and len(pending) > max_pending:
        return newest
    rollbacks = [r for r in pending if r.is_rollback]
    return rollbacks[-1] if rollbacks else pending[0]


def _end_for(
    commits: Commits, active: Run, pending: Sequence[InLine], first: InLine
) -> int | None:
    number = active.subject.number
    newer = [r for r in pending if r.number > number]
    if not newer:
        return None
    if any(r.is_rollback for r in newer):
        return first.number
    waits = commits is Commits.EVERY and active.is_waiting_for_approval
    if commits is Commits.LATEST or waits:
        return newer[-1].number
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a revision may not begin yet, and until when if only time is missing.

    A dead end is what no time cures: only another commit, or a retry elsewhere.
    """

    reason: str
    message: str
    until: datetime | None = None
    is_dead_end: bool = False


def held_by(
    after: After,
    others: Sequence[Revision],
    revision: Revision,
    now: datetime,
) -> Hold | None:
    """Say why another environment holds a revision, if it does.

    What counts is that environment's newest revision at or before this commit: it
    must have Succeeded, ``soak`` ago. Commits of different repositories come in no
    order: of another repository's environment, the newest there is counts.
    ``others`` come newest first.
    """
    name = after.title
    is_far = after.repository is not None
    newest = next(
        (r for r in others if is_far or r.position <= revision.position), None
    )
    reason = Reason.WAITING_FOR_ENVIRONMENT
    if newest is None:
        return Hold(reason=reason, message=f"waits for a first revision of {name}")
    what = f"{name}#{newest.number}"
    if newest.phase is not Phase.SUCCEEDED:
        # Only an end is named: other phases pass, and the message is stored.
        ended = f", which has ended {newest.phase}" if newest.phase.is_final else ""
        return Hold(
            reason=reason,
            message=f"waits for {what}{ended}",
            is_dead_end=newest.phase.is_final,
        )
    since = newest.ended or newest.created
    left = since + after.soak - now
    if left <= timedelta():
        return None
    return Hold(
        reason=reason,
        message=f"{what} has to hold for {format_duration(after.soak)} first",
        until=now + left,
    )
