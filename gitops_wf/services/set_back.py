"""Mending what a clock that was set back holds up: delays of work, and due times."""

from dataclasses import dataclass

import structlog

from gitops_wf.core.engine import anchored
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.executor import Executor
from gitops_wf.ports.store import Store
from gitops_wf.services.advance import Advance

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBack:
    """Lets nothing wait until the clock has come again to where it was."""

    store: Store
    clock: Clock
    executor: Executor
    advance: Advance

    def mend(self) -> None:
        """Count delays anew, and the times of runs that lie ahead."""
        delays = self.executor.recount_delays()
        now = self.clock.now()
        with self.store.read() as reader:
            ahead = [
                run.subject.environment
                for run in reader.active_runs()
                if anchored(run, now) is not run
            ]
        for environment in ahead:
            self._move(environment)
        if delays or ahead:
            log.warning("clock.mended", delays=delays, runs=len(ahead))

    def _move(self, environment: EnvironmentId) -> None:
        with self.store.transaction() as transaction:
            transaction.lock_environment(environment)
            now = self.clock.now()
            run = transaction.active_run(environment)
            if run is not None and (moved := anchored(run, now)) is not run:
                self.advance.run(transaction, run, moved, now)
