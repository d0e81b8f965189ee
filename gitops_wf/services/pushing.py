"""Where the daemon may commit, and for whom: as the daemon config grants it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gitops_wf.core.commit import CommitInfo
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import (
    EnvironmentId,
    RepositoryName,
    Sha,
    repository_name,
)
from gitops_wf.ports.git_writer import DaemonWriter, DaemonWriters
from gitops_wf.services.watched import Watched

NOT_ALLOWED = "PushNotAllowed"


class Pushing(DaemonWriters):
    """The DaemonWriters role, over the watched repositories.

    ``is_folder`` says whether globs of a repository match a folder.
    """

    def __init__(
        self,
        repositories: Mapping[RepositoryName, Watched],
        is_folder: Callable[[str, Sequence[str]], bool],
    ) -> None:
        self._repositories = repositories
        self._is_folder = is_folder

    def open(
        self,
        repository: RepositoryName,
        environment: EnvironmentId,
        *,
        at: datetime,
    ) -> DaemonWriter:
        """Return a writer for an environment; see the port."""
        self._check_grant(repository, environment)
        open_writer = self._watched(repository).open_writer
        assert open_writer is not None
        return open_writer(at)

    def check(
        self, repository: RepositoryName, environment: EnvironmentId, folder: str
    ) -> None:
        """Refuse what an environment's step may not write to; see the port."""
        self._check_grant(repository, environment)
        globs = self._watched(repository).config.environments
        if not self._is_folder(folder, globs):
            raise TerminalError(
                f"folder {cut(folder, 120)} is none that the environments of repository"
                f" {repository} have ({', '.join(globs)}): nothing else is written to",
                reason=NOT_ALLOWED,
            )

    def _check_grant(
        self, repository: RepositoryName, environment: EnvironmentId
    ) -> None:
        grant = self._watched(repository).config.push
        if grant is None:
            raise TerminalError(
                f"repository {repository} is only read: `push: true` under it in the"
                " daemon config lets steps of its own environments commit there",
                reason=NOT_ALLOWED,
            )
        if not grant.allows(environment, repository):
            raise TerminalError(
                f"{environment} may not commit to repository {repository}: the"
                " `push.environments` of the daemon config do not name it",
                reason=NOT_ALLOWED,
            )

    def brought(
        self, environment: EnvironmentId, commit: Sha, folder: str
    ) -> Sequence[CommitInfo]:
        """Return what changed a folder with a commit; see the port."""
        git = self._watched(repository_name(environment)).git
        parent = git.commit(commit).first_parent
        return git.commits_between(parent, commit, paths=(folder,))

    def commits(
        self, environment: EnvironmentId, commit: Sha, *, since: Sha | None, folder: str
    ) -> Sequence[CommitInfo]:
        """Return the commits that made a folder what it is; see the port."""
        git = self._watched(repository_name(environment)).git
        base = since if since is not None and git.has_commit(since) else None
        return git.commits_between(base, commit, paths=(folder,))

    def _watched(self, repository: RepositoryName) -> Watched:
        found = self._repositories.get(repository)
        if found is None:
            raise TerminalError(
                f"repository {cut(repository, 64)} is not in the daemon config",
                reason="RepositoryNotConfigured",
            )
        return found
