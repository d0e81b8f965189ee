"""What other environments have come to, as a role: for steps that wait for them."""

from collections.abc import Collection, Sequence
from typing import Protocol

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RepositoryName,
    TargetName,
)
from gitops_wf.core.revision import Revision


class Revisions(Protocol):
    """Revisions of all environments of this daemon; only reads.

    Every method may raise TransientError where the store cannot be read now.
    """

    def repositories(self) -> Collection[RepositoryName]:
        """Return the repositories that are watched."""

    def environments(self, repository: RepositoryName) -> Sequence[EnvironmentName]:
        """Return the environments that a repository has now, by name."""

    def revision(self, environment: EnvironmentId, number: int) -> Revision | None:
        """Return one revision."""

    def newest(
        self, environment: EnvironmentId, *, position: int | None = None
    ) -> Revision | None:
        """Return the newest revision, or the newest at or before a position."""

    def of_commit(self, environment: EnvironmentId, commit: str) -> Revision | None:
        """Return the newest revision whose commit's id begins so."""

    def claimants(
        self, environment: EnvironmentId, target: TargetName
    ) -> Sequence[EnvironmentId]:
        """Return a few who may be about to take over what one leaves on a target.

        By id; empty where there is nobody. Those that have said what is theirs are
        not among them: inventories tell that.
        """


class NoRevisions:
    """Knows of none: for programs without a store."""

    def repositories(self) -> Collection[RepositoryName]:
        """Return none."""
        return ()

    def environments(self, repository: RepositoryName) -> Sequence[EnvironmentName]:
        """Refuse."""
        raise self._refusal(repository)

    def revision(self, environment: EnvironmentId, number: int) -> Revision | None:
        """Refuse."""
        del number
        raise self._refusal(environment)

    def newest(
        self, environment: EnvironmentId, *, position: int | None = None
    ) -> Revision | None:
        """Refuse."""
        del position
        raise self._refusal(environment)

    def of_commit(self, environment: EnvironmentId, commit: str) -> Revision | None:
        """Refuse."""
        del commit
        raise self._refusal(environment)

    def claimants(
        self, environment: EnvironmentId, target: TargetName
    ) -> Sequence[EnvironmentId]:
        """Return none: nobody runs beside the one who asks."""
        del environment, target
        return ()

    def _refusal(self, name: str) -> TerminalError:
        return TerminalError(
            f"{name}: no store is configured that knows revisions",
            reason="ExecutionError",
        )
