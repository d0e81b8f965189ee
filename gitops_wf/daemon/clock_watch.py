"""Notices that the machine's clock was set, and mends what a clock set back holds up.

Due times are times of the clock: whatever was to come in five seconds comes three hours
late where the clock is set back by three hours. A clock set forward needs no mending:
what is due comes early, and time-outs end what they would end later.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from gitops_wf.core.durations import format_duration
from gitops_wf.ports.clock import Clock

log = structlog.get_logger()

JUMP = timedelta(seconds=2)
"""What is no correction any more: NTP slews smaller ones; a busy machine is late."""


class ClockWatch:
    """Compares the clock with ``monotonic``, seconds that nobody sets."""

    def __init__(
        self,
        *,
        clock: Clock,
        monotonic: Callable[[], float],
        mend: Callable[[], None],
        begin_anew: Callable[[], None],
    ) -> None:
        """Both are called after the clock was set back.

        ``mend`` is for what is stored, ``begin_anew`` for the loops of this process.
        ``mend`` is called at the start, too: it may have been while no daemon ran.
        """
        self._begin_anew = begin_anew
        self._clock = clock
        self._monotonic = monotonic
        self._mend = mend
        self._origin: datetime | None = None
        self._is_to_mend = True

    def look(self) -> datetime | None:
        """Look whether it was set since the last look; to be called each second.

        Errors: those of ``mend``, which is called again at the next look.
        """
        origin = self._clock.now() - timedelta(seconds=self._monotonic())
        jump = origin - self._origin if self._origin is not None else timedelta()
        self._origin = origin
        if abs(jump) >= JUMP:
            where = "forward" if jump > timedelta() else "back"
            log.warning("clock.set", to=where, by=format_duration(abs(jump)))
            if jump < timedelta():
                self._begin_anew()
                self._is_to_mend = True
        if self._is_to_mend:
            self._mend()
            self._is_to_mend = False
        return None
