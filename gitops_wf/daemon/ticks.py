"""The clock of what is due: time-outs, soaks and waits whose hour has come."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from gitops_wf.core.errors import GitOpsError
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.store import StoreUnavailableError

log = structlog.get_logger()

LONGEST_WAIT = timedelta(seconds=1)
"""New due times are seen within this; a look costs one indexed query."""


class Ticks:
    """Calls a function that acts on what is due and says when the next thing is.

    ``beat`` is called at each turn.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        act: Callable[[], datetime | None],
        beat: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._act = act
        self._beat = beat
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="ticks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what is being done."""
        self._stopped.set()
        self._thread.join()

    def _loop(self) -> None:
        wait = timedelta()
        while not self._stopped.wait(wait.total_seconds()):
            self._beat()
            wait = LONGEST_WAIT
            try:
                due = self._act()
            except StoreUnavailableError:
                continue  # it says so itself, once
            except GitOpsError as error:
                log.warning("tick.failed", cause=str(error))
                continue
            except Exception:
                # A bug in one environment's turn must not stop time for all.
                log.exception("tick.crashed")
                continue
            if due is not None:
                left = due - self._clock.now()
                wait = min(max(left, timedelta(milliseconds=5)), LONGEST_WAIT)
