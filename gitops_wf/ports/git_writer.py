"""The writing side of Git: commits and pushes, of a person or of the daemon.

The daemon writes only to repositories whose config says ``push``: see `DaemonWriter`.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self, TypeAlias

from gitops_wf.core.commit import CommitInfo, Person
from gitops_wf.core.identifiers import EnvironmentId, RepositoryName, Sha

__all__ = [
    "BranchFiles",
    "BranchWriter",
    "DaemonWriter",
    "DaemonWriters",
    "Person",
    "PushRejected",
    "PushResult",
    "Pushed",
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


class BranchFiles(Protocol):
    """The files of a branch, as they are at one commit."""

    def read(self, path: str) -> bytes | None:
        """The file there; None if there is none."""

    def list_files(self, folder: str) -> tuple[str, ...]:
        """Paths of the files below a folder; of all for an empty one."""


class BranchWriter(BranchFiles, AbstractContextManager["BranchWriter"], Protocol):
    """A branch on which somebody commits, beside any work tree.

    Its files are those at `head`. For a person, in their work tree or in a passing
    clone, a local change that is in the way is a `TerminalError`: nothing of theirs is
    overwritten or pushed along.
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

    def changed_since(self, source: Sha, paths: Sequence[str]) -> tuple[str, ...]:
        """Paths of files below `paths` that differ between `source` and `head`."""

    def commit(self, files: Mapping[str, bytes | None], message: str) -> Sha:
        """Commits exactly these files (None deletes), with the writer's identity."""

    def restore(self, paths: Sequence[str], source: Sha, message: str) -> Sha | None:
        """Commits `paths` as they were at `source`; None when nothing differs."""

    def show(self, sha: Sha) -> str:
        """The commit as `git show` prints it, for a person to look at."""

    def push(self) -> PushResult:
        """Pushes `head` to the branch, never by force."""


class DaemonWriter(BranchWriter, Protocol):
    """A watched branch on which the daemon commits, with its own name and credential.

    The same files and message on the same head are the same commit: its date is that
    of the effect's first attempt, and so a repetition is seen to be one.
    """

    def __enter__(self) -> Self:
        """Itself."""

    @property
    def url(self) -> str:
        """Where the repository is; it holds no credentials."""

    @property
    def branch(self) -> str:
        """The watched branch."""

    def find(self, line: str, *, since: datetime) -> Sha | None:
        """The newest commit of `head` since then with this line in its message."""

    def branch_head(self, branch: str) -> Sha | None:
        """The head of another branch; None where there is none. Asks the remote."""

    def message(self, sha: Sha) -> str:
        """The message of a commit of the remote, fetched if it is not here."""

    def push_to(self, branch: str) -> PushResult:
        """Pushes `head` to a branch of the daemon's own, which must be new."""


class DaemonWriters(Protocol):
    """Where the daemon may commit, and on whose behalf."""

    def open(
        self,
        repository: RepositoryName,
        environment: EnvironmentId,
        *,
        at: datetime,
    ) -> DaemonWriter:
        """A writer for an environment's step; commits are dated `at`.

        Errors: TerminalError (RepositoryNotConfigured, PushNotAllowed).
        """

    def check(
        self, repository: RepositoryName, environment: EnvironmentId, folder: str
    ) -> None:
        """Refuse what an environment's step may not write to, before it is opened.

        Errors: TerminalError (RepositoryNotConfigured, PushNotAllowed) where the
        daemon config does not grant it, or the folder is no environment's.
        """

    def brought(
        self, environment: EnvironmentId, commit: Sha, folder: str
    ) -> Sequence[CommitInfo]:
        """What changed the folder with `commit` of its repository: it, and merged ones.

        All that its first parent lacks.
        """

    def commits(
        self, environment: EnvironmentId, commit: Sha, *, since: Sha | None, folder: str
    ) -> Sequence[CommitInfo]:
        """The commits that made the folder what it is at `commit` of its repository.

        All those after `since`, or all there are; merged ones too.
        """
