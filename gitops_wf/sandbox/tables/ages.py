"""Ages as kubectl shows them."""

from __future__ import annotations

from datetime import datetime, timedelta

from gitops_wf.sandbox.clocks import parse_stamp

UNKNOWN = "<unknown>"


def since(text: str | None, now: datetime) -> str:
    """The age of a time; `<unknown>` where there is none."""
    if not text:
        return UNKNOWN
    try:
        return duration(now - parse_stamp(text))
    except ValueError:
        return UNKNOWN


def duration(passed: timedelta) -> str:
    """A duration with at most two units, as `HumanDuration` of Kubernetes has it."""
    seconds = int(passed.total_seconds())
    if seconds < -1:
        return "<invalid>"
    if seconds < 0:
        return "0s"
    minutes, hours = seconds // 60, seconds // 3600
    days = hours // 24
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 2920:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}" + (f"{small}{small_unit}" if small else "")
