"""A secret value that cannot be printed by accident."""

import hmac
from typing import NoReturn, Self

MASK = "***"


class Secret:
    """A string that shows itself only by `reveal()`.

    It may enter headers, URLs, key files and Secret objects; never messages, logs,
    the store or outputs. Printing, formatting and JSON give `***` or fail; pickling
    fails, so that no queue or store can take it along.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; for the one line that hands it to its receiver."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, format_spec: str) -> str:
        return format(MASK, format_spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __deepcopy__(self, memo: object) -> Self:
        return self  # it is immutable

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied into a store")
