"""How long ago, as kubectl writes it."""

from datetime import datetime, timedelta

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago a time was, short; empty where there is none."""
    return "" if since is None else human(now - since)


def human(span: timedelta) -> str:
    """Return a span in two units at most: ``HumanDuration`` of apimachinery."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, _MINUTE, "m", 1, "s")
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, _HOUR, "h", _MINUTE, "m")
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, _DAY, "d", _HOUR, "h")
    return f"{seconds // _DAY}d"


def _two(seconds: int, large: int, name: str, small: int, rest: str) -> str:
    left = seconds % large // small
    return f"{seconds // large}{name}" + (f"{left}{rest}" if left else "")
