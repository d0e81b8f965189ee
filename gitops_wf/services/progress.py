"""What taking in commits has changed so far, in one transaction."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RepositoryName,
    Sha,
)
from gitops_wf.ports.git import GitRepository
from gitops_wf.ports.store import EnvironmentRecord, Reader, Transaction
from gitops_wf.services.advance import Advance

_HELD = "revisions/"


def held_name(environment: EnvironmentId, number: int) -> str:
    """Return the name under which a revision's commit is held.

    Not ``prod/12``: environments are folders, and one may be called that.
    """
    return f"{_HELD}{environment}@{number}"


def held_place(name: str) -> tuple[EnvironmentId, int] | None:
    """Return whose commit is held under a name, and its number."""
    environment, _, number = name.removeprefix(_HELD).rpartition("@")
    if not name.startswith(_HELD) or not number.isdecimal():
        return None
    return EnvironmentId(environment), int(number)


@dataclass(slots=True)
class Progress:
    """The environments of a repository as they stand, and what is left to be done.

    ``moved`` are to go on once all is stored, ``holds`` the refs of new revisions.
    """

    records: dict[EnvironmentId, EnvironmentRecord]
    moved: set[EnvironmentId] = field(default_factory=set)
    holds: dict[str, Sha] = field(default_factory=dict)
    _names: frozenset[EnvironmentName] | None = None
    _live: dict[str, EnvironmentId] | None = None

    @classmethod
    def of(cls, reader: Reader, repository: RepositoryName) -> Self:
        """Begin with what is stored."""
        return cls(records={r.id: r for r in reader.environments(repository)})

    @property
    def names(self) -> frozenset[EnvironmentName]:
        """The environments that there are."""
        if self._names is None:
            live = (r for r in self.records.values() if not r.is_removed)
            self._names = frozenset(record.name for record in live)
        return self._names

    def folders_of(self, record: EnvironmentRecord) -> tuple[str, ...]:
        """Return where an environment's decisions stand.

        In every folder that it ever had, less those that are another one's by now.
        """
        if self._live is None:
            self._live = {
                r.folder: r.id for r in self.records.values() if not r.is_removed
            }
        folders = record.folders or (record.folder,)
        return tuple(f for f in folders if self._live.get(f, record.id) == record.id)

    def put(self, transaction: Transaction, record: EnvironmentRecord) -> None:
        """Store a record that changed place."""
        # A new map, since the index of folders is kept by the map's identity.
        self.records = {**self.records, record.id: record}
        self._names = self._live = None
        transaction.save_environment(record)

    def keep(self, transaction: Transaction, record: EnvironmentRecord) -> None:
        """Store what became of a record; hold the commit of a new revision."""
        old = self.records[record.id]
        self.moved.add(record.id)
        if record == old:
            return
        if record.paths == old.paths:
            self.records[record.id] = record
        else:
            self.records = {**self.records, record.id: record}
        transaction.save_environment(record)
        if record.last_number != old.last_number:
            revision = transaction.revision(record.id, record.last_number)
            assert revision is not None
            self.holds[held_name(record.id, revision.number)] = revision.commit

    def finish(
        self,
        transaction: Transaction,
        git: GitRepository,
        advance: Advance,
        now: datetime,
    ) -> None:
        """Hold the revisions' commits, then let every touched environment go on."""
        if self.holds:
            git.hold(self.holds)
        for environment in sorted(self.moved):
            transaction.lock_environment(environment)
            advance.environment(transaction, environment, now)
