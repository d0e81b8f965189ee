"""A commit that is written anew on what others pushed first, until it is pushed."""

from collections.abc import Callable
from typing import TypeVar

from gitops_wf.core.errors import TerminalError
from gitops_wf.ports.git_writer import BranchWriter, PushRejected

_TRIES = 5

Made = TypeVar("Made")


def pushed(writer: BranchWriter, commit: Callable[[], Made]) -> Made:
    """Make a commit on the newest state of the remote, and push it.

    Errors: TerminalError (PushRejected) where the remote refuses it, or others were
    faster each time; what ``commit`` and the writer say otherwise.
    """
    for _ in range(_TRIES):
        writer.refresh()
        made = commit()
        result = writer.push()
        if not isinstance(result, PushRejected):
            return made
        if not result.is_stale:
            raise TerminalError(
                f"the remote refused the push: {result.message}", reason="PushRejected"
            )
    raise TerminalError(
        f"others pushed first {_TRIES} times in a row; try again",
        reason="PushRejected",
    )
