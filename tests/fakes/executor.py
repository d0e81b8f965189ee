"""An executor that carries work out when a test says so, by the test's own clock.

The contract suite of the real executor does not run on it: it only keeps the
order, the delays and the rule that work of a rolled-back transaction never runs.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.ports.executor import PostponedError, Work
from tests.fakes.clock import FakeClock


class ManualExecutor:
    """Holds work until `run_due`."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._waiting: list[tuple[datetime, int, Work]] = []
        self._count = 0
        self.carry_out: Callable[[Work], None] | None = None

    def enqueue(self, transaction, work: Work) -> None:
        def keep() -> None:
            self._count += 1
            due = self._clock.now() + work.delay
            self._waiting.append((due, self._count, work))

        transaction.after_commit(keep)

    def start(self, carry_out: Callable[[Work], None]) -> None:
        self.carry_out = carry_out

    def stop(self) -> None:
        self.carry_out = None

    def run_due(self) -> int:
        """Carry out what is due now, and what that asks for at once."""
        assert self.carry_out is not None
        done = 0
        while due := [w for w in self._waiting if w[0] <= self._clock.now()]:
            first = min(due, key=lambda item: item[:2])
            self._waiting.remove(first)
            try:
                self.carry_out(first[2])
            except PostponedError as error:
                again = self._clock.now() + (error.retry_after or timedelta())
                self._waiting.append((again, *first[1:]))
            done += 1
            assert done < 1_000, "work asks for work without end"
        return done

    def put_off(self, environment: EnvironmentId, by: timedelta) -> None:
        """Let a busy queue come to the work of an environment only later."""
        self._waiting = [
            (due + by if work.environment == environment else due, count, work)
            for due, count, work in self._waiting
        ]

    def next_due(self) -> datetime | None:
        """When the next work is due."""
        return min((due for due, _, _ in self._waiting), default=None)
