"""The environments around one at a commit, and what each of them waits for."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from gitops_wf.core.environment import Environment, Wait
from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RepositoryName,
    environment_id,
)
from gitops_wf.core.waiting import circle_problem
from gitops_wf.ports.store import EnvironmentRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The environments of a repository at one commit.

    ``read`` reads what one waits for from the files of the commit: for those that the
    commit touches (None: any may be), and those that were never read. What others wait
    for is what they were read with last: their workflows are frozen with their
    revisions.
    """

    repository: RepositoryName
    records: Mapping[EnvironmentId, EnvironmentRecord]
    touched: Collection[EnvironmentId] | None
    read: Callable[[EnvironmentRecord], tuple[Wait, ...]]
    _known: dict[EnvironmentName, tuple[Wait, ...]] = field(default_factory=dict)

    def circle(self, environment: Environment | None) -> tuple[DefinitionError, ...]:
        """Return what is wrong where one waits for others that wait for it."""
        if environment is None or not environment.waits:
            return ()
        self._known[environment.name] = environment.waits
        problem = circle_problem(environment.name, self.waits)
        return () if problem is None else (problem,)

    def waits(self, name: EnvironmentName) -> tuple[Wait, ...]:
        """Return what one waits for; nothing where it is not there."""
        if name not in self._known:
            self._known[name] = self._waits(name)
        return self._known[name]

    def _waits(self, name: EnvironmentName) -> tuple[Wait, ...]:
        record = self.records.get(environment_id(self.repository, name))
        if record is None or record.is_removed:
            return ()
        is_touched = self.touched is None or record.id in self.touched
        if is_touched or record.definition is None:
            return self.read(record)
        return record.definition.waits
