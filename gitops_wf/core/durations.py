"""Durations as users write them: Go's form, ``1h30m``, and back."""

import re
from datetime import timedelta

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = timedelta(days=3650)


def parse_duration(text: str) -> timedelta:
    """Return what ``1h30m`` means; the units are d, h, m, s and ms.

    Go's ``time.ParseDuration`` without signs, with days added, as KubeVela, Flux
    and Argo CD take it. Errors: ValueError that says what would be right.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(
            f"{text[:32]!r} is not a duration; write a number and a unit (d, h, m, "
            "s, ms), such as 90s or 1h30m"
        )
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{text[:32]!r} is longer than ten years")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return the shortest such text, down to seconds: ``1h30m``, ``3d``, ``0s``."""
    left = round(duration.total_seconds())
    text = ""
    for unit in "dhms":
        count, left = divmod(left, int(_SECONDS[unit]))
        if count:
            text += f"{count}{unit}"
    return text or "0s"
