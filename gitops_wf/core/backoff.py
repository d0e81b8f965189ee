"""How long to wait: after failures, between looks, jitter on intervals; pure."""

from datetime import timedelta

FIRST_DELAY = timedelta(milliseconds=750)
LONGEST_DELAY = timedelta(minutes=15)
JITTER = 0.05
FIRST_LOOK = timedelta(seconds=1)
LAST_LOOK = timedelta(seconds=10)
_LOOKS_TO_LAST = 8


def backoff(
    failures: int,
    *,
    first: timedelta = FIRST_DELAY,
    longest: timedelta = LONGEST_DELAY,
    factor: float = 2.0,
) -> timedelta:
    """Wait after the n-th failure in a row: `first` · factorⁿ⁻¹, at most `longest`.

    The defaults are Flux's (750 ms, doubling, 15 minutes). No failure: no wait.
    """
    if failures <= 0:
        return timedelta(0)
    delay = first
    for _ in range(failures - 1):
        if delay >= longest:
            break
        delay *= factor
    return min(delay, longest)


def next_look(
    look: int, *, first: timedelta = FIRST_LOOK, last: timedelta = LAST_LOOK
) -> timedelta:
    """Wait after the n-th look at what a step began: longer each time, to `last`."""
    return min(first * 1.5 ** min(look, _LOOKS_TO_LAST), last)


def jittered(
    interval: timedelta, *, chance: float, fraction: float = JITTER
) -> timedelta:
    """`interval` ± `fraction` of it; `chance` in [0, 1) says where in that range.

    Flux's default is ± 5 %. The caller brings the chance, so the rule stays pure.
    """
    return interval * (1 + fraction * (2 * chance - 1))
