"""Work that DBOS has handed out and nobody carries out: found and put back.

DBOS hands work out by a commit. Where the connection is lost in that commit, it may
have come through although this process knows of nothing: such work would wait for the
next start. So some time after a connection was lost, the two are compared.
"""

import time
from collections.abc import Callable, Collection

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from gitops_wf.adapters.dbos_executor.wakeup import Alarm

log = structlog.get_logger()

AFTER = 3.0
"""Seconds from the loss to a look, and to the next: who was seen twice is stranded.

Between handing out and carrying out are milliseconds.
"""


class Stranded:
    """Looks after each lost connection, until the database answers."""

    def __init__(
        self,
        engine: Engine,
        *,
        find: Callable[[], Collection[str]],
        put_back: Callable[[str], None],
    ) -> None:
        """``find`` returns the ids that DBOS takes for running and that are not."""
        self._find = find
        self._put_back = put_back
        self._seen: frozenset[str] = frozenset()
        self._alarm = Alarm(self._look)
        event.listen(engine, "handle_error", self._note)

    def start(self) -> None:
        """Begin to look."""
        self._alarm.start()

    def stop(self) -> None:
        """Look no more."""
        self._alarm.stop()

    def _note(self, context: ExceptionContext) -> None:
        if context.is_disconnect:
            self._alarm.at(time.monotonic() + AFTER)

    def _look(self) -> None:
        again = self._seen
        try:
            self._seen = frozenset(self._find())
            for work in sorted(again & self._seen):
                log.warning("work.stranded", work=work)
                self._put_back(work)
        except Exception as exc:
            # Whatever it is, the next look comes; a lost database is said elsewhere.
            log.debug("stranded.unseen", cause=str(exc))
            self._alarm.at(time.monotonic() + AFTER)
            return
        if self._seen - again:
            self._alarm.at(time.monotonic() + AFTER)
        else:
            self._seen = frozenset()
