"""The one error of expressions, and how it shows what was meant."""

from collections.abc import Iterable
from difflib import get_close_matches


class ExpressionError(Exception):
    """An expression cannot be accepted or evaluated.

    `message` says what is wrong and what would be right; `offset` is the character of
    the text it is about, or None.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to add to a message: the nearest known word, or all when they are few."""
    candidates = sorted(known)
    near = get_close_matches(word, candidates, n=1, cutoff=0.6)
    if near:
        return f"; did you mean `{near[0]}`?"
    if candidates and len(candidates) <= 12:
        return f"; known: {', '.join(candidates)}"
    return ""
