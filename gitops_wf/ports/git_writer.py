"""The writing side of Git, for a person at a command line: commits and pushes.

The daemon never writes to a watched branch; only commands that a person runs do.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from gitops_wf.core.commit import Person
from gitops_wf.core.identifiers import Sha

__all__ = [
    "Conflict",
    "GitWriter",
    "Person",
    "PushRejected",
    "PushResult",
    "Pushed",
    "RevertResult",
    "WriterReason",
]


class WriterReason(StrEnum):
    """Reasons of the `TerminalError`s of this port."""

    NO_IDENTITY = "NoIdentity"
    NO_WORK_TREE = "NoWorkTree"
    WORK_TREE_IN_THE_WAY = "WorkTreeInTheWay"
    NOT_ON_BRANCH = "NotOnBranch"
    GIT_FAILED = "GitFailed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """The remote branch is at `sha` now."""

    sha: Sha


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRejected:
    """The remote said no; `is_stale`: only because somebody pushed first."""

    message: str
    is_stale: bool


PushResult: TypeAlias = Pushed | PushRejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """The revert does not apply; nothing was changed. `paths` say where."""

    paths: tuple[str, ...]
    message: str = ""


RevertResult: TypeAlias = Sha | Conflict


class GitWriter(AbstractContextManager["GitWriter"], Protocol):
    """A branch on which a person commits: in their work tree, or in a passing clone.

    A local change that is in the way is a `TerminalError`: nothing of the person's is
    overwritten, stashed or pushed along without being asked for.
    """

    def identity(self) -> Person:
        """Who commits; a `TerminalError` tells how to set it if Git knows nobody."""

    def refresh(self) -> Sha | None:
        """Fetches the remote branch and starts from it; its head, None if empty.

        Commits of this writer that were not pushed are taken back first, so that they
        can be written again; a fast-forward of the person's branch is made if possible.
        """

    def head(self) -> Sha | None:
        """The commit that the next one is built on."""

    def read(self, path: str) -> bytes | None:
        """The file at `head`; None if there is none."""

    def list_files(self, folder: str) -> tuple[str, ...]:
        """Paths of the files below a folder at `head`."""

    def changed_since(self, source: Sha, paths: Sequence[str]) -> tuple[str, ...]:
        """Paths of files below `paths` that differ between `source` and `head`."""

    def commit(self, files: Mapping[str, bytes | None], message: str) -> Sha:
        """Commits exactly these files (None deletes), with the person's identity."""

    def revert(
        self, shas: Sequence[Sha], *, message: str | None = None
    ) -> RevertResult:
        """`git revert` of these commits, newest first, as one commit.

        A merge is reverted against its first parent. Without `message` it is Git's own,
        "This reverts commit …" for each.
        """

    def restore(self, paths: Sequence[str], source: Sha, message: str) -> Sha | None:
        """Commits `paths` as they were at `source`; None when nothing differs."""

    def show(self, sha: Sha) -> str:
        """The commit as `git show` prints it, for the person to look at."""

    def push(self) -> PushResult:
        """Pushes `head` to the branch, never by force."""
