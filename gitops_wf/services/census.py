"""How everything stands at one moment, counted for those who watch the daemon."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.core.upkeep.state import UpkeepState
from gitops_wf.ports.store import Reader, RepositoryRecord, Standing, TargetRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """One consistent look at the store; of environments a pause suspends, too.

    ``active`` counts the runs that have not ended by phase, ``queued`` the attempts
    of steps that were asked for and have not begun. ``upkeep`` is of those released
    revisions of which there is something to tell, ``targets`` those that were asked.
    """

    environments: tuple[Standing, ...]
    repositories: tuple[RepositoryRecord, ...]
    active: Mapping[Phase, int]
    queued: int
    upkeep: Mapping[EnvironmentId, Mapping[TargetName, UpkeepState]]
    targets: Mapping[TargetName, TargetRecord]


def take_census(reader: Reader) -> Census:
    """Count what the store has now; removed environments count no more."""
    paused = {pause.environment for pause in reader.pauses()}
    return Census(
        environments=tuple(
            standing
            if paused.isdisjoint({None, standing.environment})
            else replace(standing, is_suspended=True)
            for standing in reader.standings()
        ),
        repositories=tuple(reader.repositories()),
        active=reader.active_phases(),
        queued=reader.queued(),
        upkeep=reader.upkeeps(),
        targets=reader.targets(),
    )
