"""One daemon process: its parts are started in order and stopped in reverse."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Protocol

import structlog

from gitops_wf.core.errors import TerminalError
from gitops_wf.daemon.polls import Polls
from gitops_wf.daemon.ticks import Ticks
from gitops_wf.ports.executor import AttemptWork, DeliveryWork, Executor, Work

log = structlog.get_logger()

_LOOK_UP = 1.0
"""Seconds."""


class Part(Protocol):
    """Something beside the loops that runs while the daemon does."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End, and let go of what it holds."""


class Ending:
    """Why and when the daemon ends: somebody asked for it, or nothing can go on."""

    def __init__(self) -> None:
        # Its `put` may be called while another of the same thread is under way, as by
        # a signal's handler; that of an Event or a Queue would wait for itself.
        self._asked: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self.failure: TerminalError | None = None

    def ask(self) -> None:
        """Ask for it; may be called from a signal handler."""
        self._asked.put(None)

    def give_up(self, error: TerminalError) -> None:
        """End for what neither time nor a restart mends; the first error is said."""
        with self._lock:
            if self.failure is not None:
                return
            self.failure = error
        log.error("daemon.failed", reason=error.reason, cause=str(error))
        self.ask()

    def wait(self) -> None:
        """Return when the daemon is to end.

        It looks up now and then: a signal is handled by the main thread alone, and
        only once that has something to do.
        """
        while True:
            with contextlib.suppress(Empty):
                self._asked.get(timeout=_LOOK_UP)
                return


class Daemon:
    """Runs until it is told to stop."""

    def __init__(
        self,
        *,
        executor: Executor,
        polls: Polls,
        ticks: Ticks,
        attempt: Callable[[AttemptWork], None],
        deliver: Callable[[DeliveryWork], None],
        parts: Sequence[Part] = (),
        ending: Ending,
    ) -> None:
        self._executor = executor
        self._polls = polls
        self._ticks = ticks
        self._attempt = attempt
        self._deliver = deliver
        self._parts = tuple(parts)
        self._close: Callable[[], None] = lambda: None
        self._ending = ending

    def run(self) -> None:
        """Start everything, wait for `stop`, end everything.

        Errors: the one that it was given up for, after everything has ended.
        """
        self._executor.start(self._carry_out)
        self._ticks.start()
        self._polls.start()
        for part in self._parts:
            part.start()
        log.info("daemon.started")
        self._ending.wait()
        log.info("daemon.stopping")
        for part in reversed(self._parts):
            part.stop()
        self._polls.stop()
        self._ticks.stop()
        self._executor.stop()
        self._close()
        log.info("daemon.stopped")
        if self._ending.failure is not None:
            raise self._ending.failure

    def on_close(self, close: Callable[[], None]) -> None:
        """Call it last of all: it lets go of the store and the clones."""
        self._close = close

    def stop(self) -> None:
        """Ask it to end; may be called from a signal handler."""
        self._ending.ask()

    def _carry_out(self, work: Work) -> None:
        match work:
            case AttemptWork():
                self._attempt(work)
            case DeliveryWork():
                self._deliver(work)
