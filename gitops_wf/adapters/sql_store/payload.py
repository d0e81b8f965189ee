"""Values of the core as JSON text, and back, without loss.

pydantic writes and reads the frozen dataclasses, so datetimes, timedeltas, enums
and tuples come back as they were. Two things that Python strings may hold have no
place in a database: lone surrogates (a path in Git that is not UTF-8) and, on
PostgreSQL, NUL. They are escaped behind a code point that Unicode reserves.
"""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, from_json, to_json

Value = TypeVar("Value")

MARK = "\U0010ffff"
_UNSAFE = re.compile(f"[\x00\ud800-\udfff{MARK}]")
_ESCAPED = re.compile(f"{MARK}([0-9a-f]{{6}})")


def escape(text: str) -> str:
    """Text that every database takes; most text is left as it is."""
    return _UNSAFE.sub(lambda found: f"{MARK}{ord(found[0]):06x}", text)


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


class Payload(Generic[Value]):
    """Writes and reads values of one type."""

    def __init__(self, type_: type[Value]) -> None:
        self._type = type_

    @cached_property
    def _adapter(self) -> TypeAdapter[Value]:
        """Made when it is needed: one takes some 10 ms, and few commands need all."""
        return TypeAdapter(self._type)

    def dump(self, value: Value, *, exclude: set[str] | None = None) -> str:
        """The value as JSON, less the fields that have a place of their own."""
        try:
            text = self._adapter.dump_json(value, exclude=exclude).decode()
        except PydanticSerializationError:
            text = MARK  # a lone surrogate, most likely; the slow way tells
        # In keys, pydantic puts U+FFFD for a surrogate and says nothing.
        if MARK not in text and "\ufffd" not in text:
            return text
        plain = self._adapter.dump_python(value, exclude=exclude)
        return to_json(_walk(plain, escape)).decode()

    def load(self, text: str) -> Value:
        """The value that was dumped; other versions' extra fields are left out."""
        if MARK not in text:
            return self._adapter.validate_json(text)
        return self._adapter.validate_python(_walk(from_json(text), unescape))


def merge(first: str, *more: str) -> str:
    """One JSON object of the fields of several; none of them may be empty."""
    return "{" + ",".join(text[1:-1] for text in (first, *more)) + "}"


def _walk(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case str():
            return change(str(value))
        case Mapping():
            return {_walk(k, change): _walk(v, change) for k, v in value.items()}
        case list() | tuple():
            return [_walk(item, change) for item in value]
        case _:
            return value
