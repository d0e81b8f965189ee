"""The Executor role on DBOS, in the same database as the store.

One attempt, look or delivery is one DBOS workflow without steps. It is enqueued in
the transaction of the state change that asks for it, and DBOS brings it to a thread:
after its delay, within the limits, and again if the process died on the way.

What is carried out may raise. Then nothing is lost and nothing spins: the error is
logged and the same work is put back under a new id, begun after a pause that doubles
from under a second to fifteen minutes (or what a TransientError asks for, if longer).
What is only postponed comes back when it asks to, and counts as no error.
It gives its place to others meanwhile, and it goes on for ever: only our own rows know
when to give up, and work whose row has moved on ends at once.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from queue import Empty
from typing import Any, Protocol, cast

import structlog
from dbos import (
    DBOS,
    DBOSClient,
    DBOSConfig,
    DBOSPortableJSONSerializer,
)

# Private, and the reason why the dependency is pinned to a minor version: the only
# way to wake a worker is to hand it the event that it waits on.
from dbos._queue import queue_worker_thread
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from gitops_wf.adapters.dbos_executor.places import Abandoned, Outcome, Places
from gitops_wf.adapters.dbos_executor.queues import (
    APPLICATION_VERSION,
    WORKFLOW,
    Limits,
    options,
    register_queues,
)
from gitops_wf.adapters.dbos_executor.returns import (
    LONGEST_PAUSE,
    pause_before,
    report,
)
from gitops_wf.adapters.dbos_executor.stranded import Stranded
from gitops_wf.adapters.dbos_executor.wakeup import (
    FREED_WINDOW,
    START_WINDOW,
    Alarm,
    Doorbell,
)
from gitops_wf.adapters.dbos_executor.work import (
    OUTSIDE,
    TARGETS,
    Queued,
    delay_of,
    from_arguments,
    to_arguments,
)
from gitops_wf.core.backoff import backoff
from gitops_wf.core.errors import cut
from gitops_wf.ports.executor import PostponedError, Work
from gitops_wf.ports.store import StoreUnavailableError, Transaction

APPLICATION = "gitops-wf"

_SELDOM = 600.0
"""For loops of DBOS that serve features which are not used here."""

_ALARM_DELAY = 0.003
"""DBOS compares whole milliseconds, so an alarm must not come a fraction early."""

log = structlog.get_logger()


class SqlTransaction(Transaction, Protocol):
    """What the executor needs of the store's transaction: both are in one database."""

    @property
    def connection(self) -> Connection:
        """The connection in its transaction."""

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call it once everything is stored."""


class DbosExecutor:
    """The Executor role; one per process, as DBOS is.

    ``replica`` names this process among those that share a database: what it had
    begun when it died is begun again by the next process with that name.
    """

    def __init__(
        self, engine: Engine, *, replica: str = "local", limits: Limits | None = None
    ) -> None:
        self._engine = engine
        self._replica = replica
        self._limits = limits or Limits()
        self._is_alone = engine.dialect.name == "sqlite"
        self._places = Places(
            at_once=self._limits.at_once, per_target=self._limits.per_target
        )
        self._doorbells = {TARGETS: Doorbell(), OUTSIDE: Doorbell()}
        self._alarm = Alarm(self._begin_delayed)
        self._stranded = Stranded(
            engine, find=self._find_stranded, put_back=self._put_stranded_back
        )
        self._workers: list[threading.Thread] = []
        self._dbos: DBOS | None = None
        self._carry_out: Callable[[Work], None] | None = None
        self._serializer = DBOSPortableJSONSerializer()
        with _translated("the queue's tables cannot be made"):
            self._client = DBOSClient(
                system_database_engine=engine,
                application_name=APPLICATION,
                serializer=self._serializer,
                retry_connection_errors=False,
            )
            # Work may be enqueued before `start`. DBOS.migrate takes no engine.
            self._client._sys_db.run_migrations()  # noqa: SLF001

    def enqueue(self, transaction: Transaction, work: Work) -> None:
        """Ask for work, in the caller's transaction; the same work again is nothing.

        The transaction must be one of the store on the engine that this was made
        with.
        """
        sql = cast("SqlTransaction", transaction)
        queued = Queued(work=work)
        delay = work.delay.total_seconds()
        self._client.enqueue_in_transaction(
            sql.connection, options(queued, delay), to_arguments(queued, delay)
        )
        begin = time.monotonic() + delay
        sql.after_commit(lambda: self._wake(queued, begin, delay))

    def start(self, carry_out: Callable[[Work], None]) -> None:
        """Begin to carry out work, what an earlier process left behind included."""
        if self._dbos is not None:
            raise RuntimeError("the executor was started before")
        self._carry_out = carry_out
        config = DBOSConfig(
            name=APPLICATION,
            system_database_engine=self._engine,
            executor_id=self._replica,
            application_version=APPLICATION_VERSION,
            serializer=self._serializer,
            log_level="ERROR",
            use_listen_notify=False,
            enable_otlp=False,
            scheduler_polling_interval_sec=_SELDOM,
        )
        dbos = self._dbos = DBOS(config=config)
        workflow = self._carry_out_queued

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
        def carry_out_queued(arguments: dict[str, Any]) -> None:
            workflow(arguments)

        # DBOS polls neither queue by itself: their workers are started below.
        DBOS.listen_queues([])
        # The queue of what was started without one: nothing ever is.
        dbos._registry.get_internal_queue()._polling_interval_sec = _SELDOM  # noqa: SLF001
        DBOS.launch()
        self._alarm.start()
        self._stranded.start()
        for queue in register_queues(self._limits, alone=self._is_alone):
            # Each process keeps its own limits and does not read them at every poll.
            queue.database_backed_queue = False
            bell = self._doorbells[queue.name]
            worker = threading.Thread(
                target=queue_worker_thread,
                args=(cast("threading.Event", bell), dbos, queue),
                name=f"executor-{queue.name}",
                daemon=True,
            )
            worker.start()
            self._workers.append(worker)
            # DBOS puts back what an earlier process had begun, a moment from now.
            bell.ring_for(START_WINDOW)

    def stop(self) -> None:
        """Take no new work, let what runs end within the grace, and return.

        What does not end is put back for the next process, and for another replica.
        Its thread is a daemon: it does not keep the process from ending.
        """
        for doorbell in self._doorbells.values():
            doorbell.set()
        self._alarm.stop()
        self._stranded.stop()
        for worker in self._workers:
            worker.join(self._limits.grace.total_seconds())
        if self._dbos is not None:
            if not self._places.wait_until_empty(self._limits.grace.total_seconds()):
                self._places.abandon()
                self._places.wait_until_empty(1)
            self._wait_for_records()
            # A thread of DBOS that waits for a lost database gives up now.
            self._dbos._sys_db._retry_connection_errors = False  # noqa: SLF001 - as said
            DBOS.destroy(destroy_registry=True)
            self._dbos = None
        self._client.destroy()

    def forget_finished(self, before: datetime, *, limit: int) -> int:
        """Delete what DBOS keeps of work that ended before; return how many.

        Errors: TransientError; the caller tries again at its next housekeeping.
        """
        with _translated("work that ended cannot be forgotten"):
            found = self._client.list_workflows(
                status=["SUCCESS", "ERROR", "CANCELLED"],
                completed_before=before.astimezone(UTC).isoformat(),
                limit=limit,
                load_input=False,
                load_output=False,
            )
            if found:
                self._client.delete_workflows([row.workflow_id for row in found])
        return len(found)

    def recount_delays(self) -> int:
        """Shorten each delay that has longer to go than it was asked for.

        DBOS keeps the time of the machine's clock at which it ends, so that a clock
        which was set back lengthens it. Returns how many it was; errors as
        `forget_finished`.
        """
        count = 0
        with _translated("delays cannot be counted anew"):
            for row in self._client.list_workflows(status="DELAYED", load_output=False):
                asked = delay_of(row.input)
                left = (row.delay_until_epoch_ms or 0) / 1000 - time.time()
                # A second more: a clock is corrected by fractions all the time.
                if left > asked + 1:
                    self._client.set_workflow_delay(
                        row.workflow_id, delay_seconds=asked
                    )
                    self._alarm.at(time.monotonic() + asked + _ALARM_DELAY)
                    count += 1
        return count

    def _find_stranded(self) -> set[str]:
        assert self._dbos is not None
        rows = self._client.list_workflows(
            status="PENDING",
            executor_id=self._replica,
            load_input=False,
            load_output=False,
        )
        running = set(self._dbos._active_workflows_set.activeList())  # noqa: SLF001
        return {row.workflow_id for row in rows} - running

    def _put_stranded_back(self, work: str) -> None:
        (row,) = self._client.list_workflows(workflow_ids=[work], load_input=False)
        self._client.resume_workflow(work, queue_name=row.queue_name)
        if row.queue_name in self._doorbells:
            self._doorbells[row.queue_name].ring()

    def _wait_for_records(self) -> None:
        """Let DBOS record what ended, a moment ago at most.

        What it has not recorded would be carried out again at the next start.
        """
        assert self._dbos is not None
        pause = threading.Event()
        end = time.monotonic() + 1
        while self._dbos._active_workflows_set.activeList() and time.monotonic() < end:  # noqa: SLF001
            pause.wait(0.005)

    def _wake(self, queued: Queued, begin: float, delay: float) -> None:
        if delay > 0:
            self._alarm.at(begin + _ALARM_DELAY)
        else:
            self._doorbells[queued.queue].ring()

    def _begin_delayed(self) -> None:
        """Put delayed work in its queue now; DBOS itself does so once a second."""
        try:
            self._client._sys_db.transition_delayed_workflows()  # noqa: SLF001 - no public way
        except Exception as exc:
            log.debug("alarm.failed", cause=str(exc))
        for doorbell in self._doorbells.values():
            doorbell.ring()

    def _carry_out_queued(self, arguments: dict[str, Any]) -> None:
        """Carry out one piece of work; DBOS calls it, in a thread of its own."""
        queued = from_arguments(arguments)
        with self._places.taken(queued) as outcome:
            # A second thread, so that neither `stop` nor the end of the process waits
            # for what hangs: threads of a pool are joined at exit, whatever they do.
            threading.Thread(
                target=self._attempt,
                args=(queued.work, outcome),
                name=f"work-{queued.id}",
                daemon=True,
            ).start()
            error = outcome.get()
            if error is not None:
                self._put_back(queued, error, outcome)
            if self._places.is_wanted(queued):
                self._doorbells[queued.queue].ring_for(FREED_WINDOW)

    def _attempt(self, work: Work, outcome: Outcome) -> None:
        assert self._carry_out is not None
        try:
            self._carry_out(work)
        except BaseException as exc:
            # All of them: whatever it is, the work is not done and must not be lost.
            outcome.put(exc)
        else:
            outcome.put(None)

    def _put_back(self, queued: Queued, error: BaseException, outcome: Outcome) -> None:
        """Enqueue it again, however long the database is away.

        If the process ends before that, `Abandoned` goes through DBOS, which records
        nothing of what is no Exception: the work is begun again at the next start.
        """
        is_error = not isinstance(error, Abandoned | PostponedError)
        again = queued.put_back(after_error=is_error)
        delay = pause_before(again, error).total_seconds()
        report(queued, error, delay)
        tries = 0
        while True:
            try:
                begin = time.monotonic() + delay
                self._client.enqueue(options(again, delay), to_arguments(again, delay))
            except Exception as exc:
                if isinstance(error, Abandoned):
                    raise error from exc
                tries += 1
                pause = backoff(tries, longest=LONGEST_PAUSE).total_seconds()
                if not isinstance(exc, SQLAlchemyError):
                    # A database that is away is said by the store, once, for all work.
                    log.warning(
                        "requeue.failed", work=queued.id, cause=str(exc), retry_in=pause
                    )
                with contextlib.suppress(Empty):
                    raise outcome.get(timeout=pause) or Abandoned from exc
            else:
                self._wake(again, begin, delay)
                return


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as exc:
        raise StoreUnavailableError(
            f"{what}: {cut(str(exc))}", reason="StoreUnreachable"
        ) from exc
