"""Which phase may follow which, as one table for runs and steps.

Two rules. Everything that changes a phase goes through `checked`. What the table
does not hold raises and changes nothing: it is a bug of ours, never a user's.
"""

from collections.abc import Mapping

from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.phases import Phase

TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    Phase.PENDING: frozenset(
        {
            Phase.RUNNING,
            Phase.SUCCEEDED,
            Phase.FAILED,
            Phase.ABORTED,
            Phase.SKIPPED,
        }
    ),
    Phase.RUNNING: frozenset(
        {
            Phase.SUSPENDED,
            Phase.SUCCEEDED,
            Phase.FAILED,
            Phase.ERRORED,
            Phase.ABORTED,
            Phase.SKIPPED,
        }
    ),
    Phase.SUSPENDED: frozenset(
        {
            Phase.RUNNING,
            Phase.SUCCEEDED,
            Phase.FAILED,
            Phase.ERRORED,
            Phase.ABORTED,
            Phase.SKIPPED,
        }
    ),
    Phase.SUCCEEDED: frozenset(),
    Phase.FAILED: frozenset(),
    Phase.ERRORED: frozenset(),
    Phase.ABORTED: frozenset(),
    Phase.SKIPPED: frozenset(),
}
"""A group reaches Skipped from Running when all its sub-steps were skipped."""


def checked(subject: str, old: Phase, new: Phase) -> Phase:
    """Return the new phase; InvalidTransitionError where it may not follow."""
    if new is not old and new not in TRANSITIONS[old]:
        raise InvalidTransitionError(f"{subject}: {new} cannot follow {old}")
    return new
