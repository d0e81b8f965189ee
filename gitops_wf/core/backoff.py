"""How long to wait: back-off after failures, jitter on intervals; pure arithmetic."""

from datetime import timedelta

FIRST_DELAY = timedelta(milliseconds=750)
LONGEST_DELAY = timedelta(minutes=15)
JITTER = 0.05


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


def jittered(
    interval: timedelta, *, chance: float, fraction: float = JITTER
) -> timedelta:
    """`interval` ± `fraction` of it; `chance` in [0, 1) says where in that range.

    Flux's default is ± 5 %. The caller brings the chance, so the rule stays pure.
    """
    return interval * (1 + fraction * (2 * chance - 1))
