"""How everything stands at one moment, counted for those who watch the daemon."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.phases import Phase
from gitops_wf.ports.store import Reader, RepositoryRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An environment and its newest revision; no phase and commit before the first.

    ``is_suspended`` says that no run begins: by environment.yaml, or by a pause.
    """

    environment: EnvironmentId
    phase: Phase | None
    commit: str
    is_suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """One consistent look at the store.

    ``active`` counts the runs that have not ended by phase, ``queued`` the attempts
    of steps that were asked for and have not begun.
    """

    environments: tuple[Standing, ...]
    repositories: tuple[RepositoryRecord, ...]
    active: Mapping[Phase, int]
    queued: int


def take_census(reader: Reader) -> Census:
    """Count what the store has now; removed environments count no more."""
    standings = []
    active: Counter[Phase] = Counter()
    queued = 0
    paused = {pause.environment for pause in reader.pauses()}
    for record in reader.environments():
        if record.is_removed:
            continue
        newest = next(iter(reader.revisions(record.id, limit=1)), None)
        definition = record.definition
        standings.append(
            Standing(
                environment=record.id,
                phase=newest.phase if newest else None,
                commit=newest.commit if newest else "",
                is_suspended=(definition is not None and definition.suspend)
                or not paused.isdisjoint({None, record.id}),
            )
        )
        run = reader.active_run(record.id)
        if run is not None:
            active[run.phase] += 1
            queued += sum(step.is_asked and not step.token for step in run.steps)
    return Census(
        environments=tuple(standings),
        repositories=tuple(reader.repositories()),
        active=active,
        queued=queued,
    )
