"""What is measured from the store, anew at each scrape."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gitops_wf.core.identifiers import environment_name, repository_name
from gitops_wf.core.upkeep.state import UpkeepState
from gitops_wf.services.census import Census, take_census
from gitops_wf.services.query import ReadableStore
from gitops_wf.web import measures
from gitops_wf.web.measures import Measure


class StoredMetrics(Collector):
    """Collects gauges from one consistent look at the store."""

    def __init__(self, store: ReadableStore, version: str) -> None:
        self._store = store
        self._version = version

    def collect(self) -> Iterable[Metric]:
        """Return what holds now.

        Errors: TransientError, TerminalError of the store; the scrape fails then, as
        numbers that are left out would read as if all were gone.
        """
        with self._store.read() as reader:
            census = take_census(reader)
        yield _family(measures.BUILD, {(self._version,): 1})
        yield _resources(census)
        yield _family(
            measures.REPOSITORY_READY,
            {
                (record.name,): int(not record.condition and bool(record.cursor))
                for record in census.repositories
            },
        )
        yield _family(
            measures.POLL_FAILURES,
            {(record.name,): record.failures for record in census.repositories},
        )
        yield _family(
            measures.ACTIVE_RUNS,
            {(str(phase),): number for phase, number in census.active.items()},
        )
        yield _family(measures.QUEUE, {(): census.queued})
        yield _family(
            measures.DRIFTED,
            {
                place: len(state.drifted)
                for place, state in _upkeep(census)
                if state.drifted
            },
        )
        yield _family(
            measures.DEGRADED,
            {place: 1 for place, state in _upkeep(census) if state.degraded},
        )
        yield _family(
            measures.TARGET_READY,
            {(name,): int(each.away is None) for name, each in census.targets.items()},
        )
        yield _family(
            measures.LAST_COMPARISON,
            {
                (name,): each.compared.timestamp()
                for name, each in census.targets.items()
                if each.compared is not None
            },
        )

    def describe(self) -> Iterable[Metric]:
        """Return the families without samples: registering must not read the store."""
        for measure in (
            *(measures.BUILD, measures.RESOURCE, measures.REPOSITORY_READY),
            *(measures.POLL_FAILURES, measures.ACTIVE_RUNS, measures.QUEUE),
            *(measures.DRIFTED, measures.DEGRADED),
            *(measures.TARGET_READY, measures.LAST_COMPARISON),
        ):
            yield _family(measure, {})


def _resources(census: Census) -> Metric:
    return _family(
        measures.RESOURCE,
        {
            (
                environment_name(standing.environment),
                repository_name(standing.environment),
                str(standing.phase or ""),
                "true" if standing.is_suspended else "false",
                standing.commit,
            ): 1
            for standing in census.environments
        },
    )


def _upkeep(census: Census) -> Iterator[tuple[tuple[str, ...], UpkeepState]]:
    """Yield each state with its labels."""
    for environment, states in census.upkeep.items():
        for target, state in states.items():
            names = environment_name(environment), repository_name(environment)
            yield (*names, target), state


def _family(measure: Measure, values: Mapping[tuple[str, ...], float]) -> Metric:
    family = GaugeMetricFamily(measure.name, measure.about, labels=measure.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
