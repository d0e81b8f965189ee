"""What is counted as it happens, since the store does not keep it for ever."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import ParamSpec, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gitops_wf.core.identifiers import RepositoryName, TargetName
from gitops_wf.core.message import Delivery, DeliveryPhase
from gitops_wf.core.run import Run, StepRun
from gitops_wf.ports.clock import Clock
from gitops_wf.web import measures
from gitops_wf.web.measures import Measure

P = ParamSpec("P")
R = TypeVar("R")


class Counters:
    """The Observer role; counts from the start of the process, as Prometheus expects.

    Each is registered in ``registry``.
    """

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._registry = registry
        self._runs = self._counter(measures.RUNS)
        self._git = self._counter(measures.GIT_REQUESTS)
        self._polls = self._counter(measures.POLLS)
        self._deliveries = self._counter(measures.DELIVERIES)
        self._last_poll = self._gauge(measures.LAST_POLL)
        self._in_flight = self._gauge(measures.IN_FLIGHT)
        self._comparisons = self._counter(measures.COMPARISONS)
        self._heals = self._counter(measures.HEALS)
        self._deleted = self._counter(measures.DELETED)
        self._housekeeping = self._gauge(measures.HOUSEKEEPING)
        self._last_housekeeping = self._gauge(measures.LAST_HOUSEKEEPING)
        self._steps = Histogram(
            measures.STEPS.name,
            measures.STEPS.about,
            measures.STEPS.labels,
            buckets=measures.STEP_BUCKETS,
            registry=registry,
        )

    def run_ended(self, run: Run) -> None:
        """Count it by its phase."""
        self._runs.labels(str(run.phase)).inc()

    def step_ended(self, step: StepRun) -> None:
        """Note how long it took; a container takes as long as what is in it."""
        if step.is_container or step.started is None or step.ended is None:
            return
        seconds = (step.ended - step.started).total_seconds()
        self._steps.labels(step.type, str(step.phase)).observe(max(seconds, 0.0))

    def delivery_ended(self, delivery: Delivery) -> None:
        """Count it by its channel's kind."""
        succeeded = delivery.phase is DeliveryPhase.SENT
        self._deliveries.labels(delivery.message.kind, _word(is_true=succeeded)).inc()

    def asked_remote(
        self, repository: RepositoryName, request: str, *, succeeded: bool
    ) -> None:
        """Count it by what was asked."""
        self._git.labels(repository, request, _result(succeeded=succeeded)).inc()

    def polled(self, repository: RepositoryName, *, succeeded: bool) -> None:
        """Count it, and note when."""
        self._polls.labels(repository, _result(succeeded=succeeded)).inc()
        self._last_poll.labels(repository).set(self._clock.now().timestamp())

    def compared(self, target: TargetName, *, succeeded: bool) -> None:
        """Count it by its target."""
        self._comparisons.labels(target, _result(succeeded=succeeded)).inc()

    def healed(self, target: TargetName, *, succeeded: bool) -> None:
        """Count it by its target."""
        self._heals.labels(target, _result(succeeded=succeeded)).inc()

    def kept_house(
        self, deleted: Mapping[str, int], took: timedelta, *, succeeded: bool
    ) -> None:
        """Count what was deleted; note how long it took, and when it went well."""
        for kind, count in deleted.items():
            self._deleted.labels(kind).inc(count)
        self._housekeeping.set(took.total_seconds())
        if succeeded:
            self._last_housekeeping.set(self._clock.now().timestamp())

    def in_flight(self, kind: str, work: Callable[P, R]) -> Callable[P, R]:
        """Return the same work, counted while it is being done."""
        gauge = self._in_flight.labels(kind)

        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            with gauge.track_inprogress():
                return work(*args, **kwargs)

        return counted

    def _counter(self, measure: Measure) -> Counter:
        return Counter(
            measure.name, measure.about, measure.labels, registry=self._registry
        )

    def _gauge(self, measure: Measure) -> Gauge:
        return Gauge(
            measure.name, measure.about, measure.labels, registry=self._registry
        )


def _word(*, is_true: bool) -> str:
    return "true" if is_true else "false"


def _result(*, succeeded: bool) -> str:
    return "succeeded" if succeeded else "failed"
