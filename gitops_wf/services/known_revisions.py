"""What environments have come to, from the store, for the steps that ask."""

from collections.abc import Collection, Sequence

from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RepositoryName,
    TargetName,
)
from gitops_wf.core.revision import Revision
from gitops_wf.ports.store import Reader, Store
from gitops_wf.services.claimants import Claimants

_FIRST_LIMITS = (1, 20)


class KnownRevisions:
    """The Revisions port over the store; each answer is one consistent look.

    ``repositories`` are those of the daemon config: some may not have been read yet.
    """

    def __init__(self, store: Store, repositories: Collection[RepositoryName]) -> None:
        self._store = store
        self._repositories = repositories
        self._claimants = Claimants()

    def repositories(self) -> Collection[RepositoryName]:
        """Return the repositories that are watched."""
        return self._repositories

    def environments(self, repository: RepositoryName) -> Sequence[EnvironmentName]:
        """Return the environments that a repository has now, by name."""
        with self._store.read() as reader:
            records = reader.environments(repository)
        return sorted(record.name for record in records if not record.is_removed)

    def revision(self, environment: EnvironmentId, number: int) -> Revision | None:
        """Return one revision."""
        with self._store.read() as reader:
            return reader.revision(environment, number)

    def newest(
        self, environment: EnvironmentId, *, position: int | None = None
    ) -> Revision | None:
        """Return the newest revision, or the newest at or before a position."""
        with self._store.read() as reader:
            if position is None:
                return next(iter(reader.revisions(environment, limit=1)), None)
            return newest_up_to(reader, environment, position)

    def of_commit(self, environment: EnvironmentId, commit: str) -> Revision | None:
        """Return the newest revision whose commit's id begins so."""
        with self._store.read() as reader:
            found = reader.revisions(environment)
        return next((r for r in found if r.commit.startswith(commit)), None)

    def claimants(
        self, environment: EnvironmentId, target: TargetName
    ) -> Sequence[EnvironmentId]:
        """Return a few who may be about to take over what one leaves on a target."""
        with self._store.read() as reader:
            return self._claimants.of(reader, environment, target)


def newest_up_to(
    reader: Reader, environment: EnvironmentId, position: int
) -> Revision | None:
    """Return the newest revision at or before a position, if there is one."""
    for limit in (*_FIRST_LIMITS, None):
        found = reader.revisions(environment, limit=limit)
        at_or_before = next((r for r in found if r.position <= position), None)
        if at_or_before is not None:
            return at_or_before
        if limit is None or len(found) < limit:
            break
    return None
