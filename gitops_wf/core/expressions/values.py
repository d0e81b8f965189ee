"""Plain JSON values on their way into the evaluator and out of it."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.core.expressions.cost import Size
from gitops_wf.core.expressions.errors import ExpressionError
from gitops_wf.core.expressions.names import declared_name
from gitops_wf.core.expressions.nodes import Path

MAX_ITEMS = 1_000
MAX_WEIGHT = 10_000
MAX_DEPTH = 64
_MISSING = object()


def look_up(variables: Mapping[str, Any], path: Path) -> tuple[bool, Any]:
    """Whether `path` leads anywhere, and to what; `go_live` finds `go-live`."""
    value: Any = variables.get(path.root, _MISSING)
    if value is _MISSING:
        return False, None
    for key in path.keys:
        if not isinstance(value, Mapping):
            return False, None
        found = value.get(key, _MISSING)
        if found is _MISSING:
            name = declared_name(key, map(str, value))
            found = _MISSING if name is None else value.get(name, _MISSING)
        if found is _MISSING:
            return False, None
        value = found
    return True, value


def measured(value: Any, name: str) -> tuple[Any, Size]:
    """`value` as the evaluator takes it, and its size; too large is an error."""
    return _Measure(name).value(value)


class _Measure:
    def __init__(self, name: str) -> None:
        self._name = name
        self._total = 0

    def value(self, value: Any, depth: int = 0) -> tuple[Any, Size]:
        match value:
            case str():
                return value, self._size(3 + len(value) // 64)
            case int() if value.bit_length() > 63:
                raise ExpressionError(
                    f"`{self._name}` holds a number beyond 64 bits, which no"
                    " expression can read"
                )
            case None | bool() | int() | float():
                return value, self._size(1)
            case Mapping() | list() | tuple():
                return self._collection(value, depth)
            case _:
                raise ExpressionError(
                    f"`{self._name}` holds a {type(value).__name__}, which no"
                    " expression can read"
                )

    def _collection(
        self, value: Mapping[Any, Any] | Sequence[Any], depth: int
    ) -> tuple[Any, Size]:
        if len(value) > MAX_ITEMS:
            raise ExpressionError(
                f"`{self._name}` has a list of {len(value)} items; expressions read"
                f" lists of at most {MAX_ITEMS}"
            )
        if depth > MAX_DEPTH:
            raise ExpressionError(f"`{self._name}` is nested deeper than {MAX_DEPTH}")
        before = self._total
        heaviest = 1
        plain: Any
        if isinstance(value, Mapping):
            plain = {}
            self._size(2)
            for key, item in value.items():
                size = self._size(3 + len(str(key)) // 64)
                plain[str(key)], inner = self.value(item, depth + 1)
                heaviest = max(heaviest, size.weight, inner.weight)
        else:
            plain = []
            self._size(1)
            for item in value:
                one, size = self.value(item, depth + 1)
                plain.append(one)
                heaviest = max(heaviest, size.weight)
        return plain, Size(
            length=max(1, len(value)), weight=self._total - before, item=heaviest
        )

    def _size(self, weight: int) -> Size:
        self._total += weight
        if self._total > MAX_WEIGHT:
            raise ExpressionError(
                f"`{self._name}` is too large for an expression; read a smaller part"
            )
        return Size(length=1, weight=weight, item=weight)


def to_json(value: Any) -> Any:
    """What an expression gave, as plain JSON types.

    A timestamp becomes RFC 3339 text and a duration seconds, as CEL's own JSON
    mapping has it; bytes and numbers that JSON lacks are errors.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if math.isfinite(value):
                return value
            raise ExpressionError(f"the result is {value}, which is no JSON number")
        case list() | tuple():
            return [to_json(item) for item in value]
        case dict():
            for key in value:
                if not isinstance(key, str):
                    raise ExpressionError(
                        f"the result has the key {key!r}; keys must be strings"
                    )
            return {key: to_json(item) for key, item in value.items()}
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case timedelta():
            return f"{value.total_seconds():g}s"
        case _:
            raise ExpressionError(
                f"the result is a {type(value).__name__}, which is no JSON value"
            )
