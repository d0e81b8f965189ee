"""Freeze windows: when writes to a target are allowed, by cron and time zone.

Argo CD's algorithm for sync windows: an active ``deny`` denies; else, where there is
an ``allow`` at all, one must be active. A window begins when a clock on the wall of
its zone says so, whatever the daylight saving, and lasts for so much elapsed time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from gitops_wf.core.durations import format_duration
from gitops_wf.core.identifiers import TargetName

_MOST_STEPS = 100
"""Windows that follow each other without a gap are joined up to this many.

Where more do, the time that is told is only when to look again.
"""


class WindowKind(StrEnum):
    """Whether writes are barred in a window, or outside of it."""

    DENY = "deny"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window that opens by a cron expression of five fields, to the minute.

    ``targets`` are globs; None means every target.
    """

    kind: WindowKind
    schedule: str
    duration: timedelta
    time_zone: str = "UTC"
    targets: tuple[str, ...] | None = None

    def __str__(self) -> str:
        span = format_duration(self.duration)
        return f"{self.kind} '{self.schedule}' for {span} ({self.time_zone})"

    def is_for(self, target: TargetName) -> bool:
        """Whether it says anything of a target."""
        return self.targets is None or any(
            fnmatchcase(target, glob) for glob in self.targets
        )

    def active_until(self, now: datetime) -> datetime | None:
        """Return when the last one that began ends, if that is still to come."""
        # What begins to the minute began by now where it did so before the next one.
        minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        local = minute.astimezone(ZoneInfo(self.time_zone))
        try:
            start: datetime = croniter(self.schedule, local).get_prev(datetime)
        except CroniterBadDateError:
            return None
        # In UTC: Python adds to a local time what a clock on the wall would show.
        end = start.astimezone(UTC) + self.duration
        return end if now < end else None

    def next_start(self, now: datetime) -> datetime | None:
        """Return when it begins next, if it ever does."""
        local = now.astimezone(ZoneInfo(self.time_zone))
        try:
            found: datetime = croniter(self.schedule, local).get_next(datetime)
        except CroniterBadDateError:
            return None
        return found.astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Why nothing may be written now, and until when; None: no time ends it."""

    reason: str
    until: datetime | None

    @property
    def text(self) -> str:
        """What a person is told of it."""
        if self.until is None:
            return f"frozen: {self.reason}"
        return f"frozen until {self.until:%Y-%m-%d %H:%M} UTC: {self.reason}"


def frozen(windows: Iterable[Window], now: datetime) -> Frozen | None:
    """Say whether windows bar writes now, and when they first will not."""
    windows = tuple(windows)
    first = _barred(windows, now)
    if first is None:
        return None
    until = first.until
    for _ in range(_MOST_STEPS):
        following = None if until is None else _barred(windows, until)
        if following is None:
            break
        until = following.until
    return Frozen(reason=first.reason, until=until)


def _barred(windows: Sequence[Window], now: datetime) -> Frozen | None:
    denied = [
        (end, window)
        for window in windows
        if window.kind is WindowKind.DENY
        and (end := window.active_until(now)) is not None
    ]
    if denied:
        end, window = max(denied, key=lambda pair: pair[0])
        return Frozen(reason=str(window), until=end)
    allowing = [window for window in windows if window.kind is WindowKind.ALLOW]
    if not allowing or any(w.active_until(now) is not None for w in allowing):
        return None
    starts = [s for w in allowing if (s := w.next_start(now)) is not None]
    named = ", ".join(map(str, allowing))
    return Frozen(reason=f"outside of {named}", until=min(starts, default=None))
