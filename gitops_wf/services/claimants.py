"""Which environments may be about to take over what another one leaves on a target."""

from collections.abc import Sequence

from gitops_wf.core.engine.claiming import claims, has_claimed, is_to_claim
from gitops_wf.core.identifiers import (
    EnvironmentId,
    Sha,
    TargetName,
    repository_name,
)
from gitops_wf.core.phases import Phase
from gitops_wf.core.revision import Revision
from gitops_wf.ports.store import Reader

MOST = 5
"""As many are looked for: one is enough to wait, and a few are enough to name."""

_NEWEST = (2, 50)
"""Revisions that are looked through for a commit of both environments."""

_REMEMBERED = 50_000


class Claimants:
    """Asks the store; who has claimed is remembered, for that does not change.

    One commit may change a thousand environments, each of which asks for all others.
    """

    def __init__(self) -> None:
        self._claimed: set[tuple[EnvironmentId, int, TargetName]] = set()

    def of(
        self, reader: Reader, environment: EnvironmentId, target: TargetName
    ) -> Sequence[EnvironmentId]:
        """Return those that share a commit with it which neither has released, by id.

        Of these, whoever goes on by itself to a claim that it has not made: what waits
        for an approval, another environment or the end of a pause may do so for days.
        """
        mine = _unreleased(reader, environment)
        found: list[EnvironmentId] = []
        for each in reader.going_on(repository_name(environment)):
            if each.environment in {environment, *found}:
                continue
            if (each.environment, each.number, target) in self._claimed:
                continue
            if each.commit not in mine and not (
                mine & _unreleased(reader, each.environment)
            ):
                continue
            if self._is_coming(reader, each.environment, each.number, target):
                found.append(each.environment)
            if len(found) == MOST:
                break
        return found

    def _is_coming(
        self,
        reader: Reader,
        environment: EnvironmentId,
        number: int,
        target: TargetName,
    ) -> bool:
        run = reader.active_run(environment)
        if run is not None and run.subject.number == number:
            if has_claimed(run, target):
                self._remember(environment, number, target)
            return is_to_claim(run, target)
        revision = reader.revision(environment, number)
        if revision is None or revision.reason or revision.workflow is None:
            return False
        # It stands in line: behind a run that waits for an approval it may for days.
        is_stuck = run is not None and run.phase is Phase.SUSPENDED
        return not is_stuck and claims(revision.workflow, target)

    def _remember(
        self, environment: EnvironmentId, number: int, target: TargetName
    ) -> None:
        if len(self._claimed) >= _REMEMBERED:
            self._claimed.clear()
        self._claimed.add((environment, number, target))


def _unreleased(reader: Reader, environment: EnvironmentId) -> frozenset[Sha]:
    """Return the commits since the one that it released last."""
    released = reader.released(environment)
    last = 0 if released is None else released.number
    newest: Sequence[Revision] = ()
    for limit in _NEWEST:
        newest = reader.revisions(environment, limit=limit)
        if len(newest) < limit or newest[-1].number <= last:
            break
    return frozenset(each.commit for each in newest if each.number > last)
