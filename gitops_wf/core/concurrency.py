"""How much is carried out at the same time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """Attempts, looks and messages at once.

    ``at_once`` holds for steps with a target, and again for all else. ``per_target``
    is how many of the places one target may have: a hung one leaves the others room.
    """

    at_once: int = 32
    per_target: int = 8
