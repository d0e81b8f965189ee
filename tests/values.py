"""Hypothesis strategies for any value of the core, read off its type hints."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from hypothesis import strategies as st

# Everything that Python calls text, with what databases choke on: NUL, lone
# surrogates (paths in Git need not be UTF-8) and the code point that escapes them.
TEXT = st.text(
    st.characters(exclude_categories=()) | st.sampled_from("\x00\udcff\U0010ffff\"'\\"),
    max_size=12,
)
TIMES = st.integers(0, 7_000_000_000_000_000).map(
    lambda us: datetime.fromtimestamp(0, UTC) + timedelta(microseconds=us)
)
SPANS = st.timedeltas(timedelta(0), timedelta(days=3650))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2)
    ),
    max_leaves=4,
)


def values(hint: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a type; what holds itself stays shallow."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, typing.NewType):
        return values(hint.__supertype__, depth)
    if origin in {typing.Union, types.UnionType}:
        return st.one_of(*(values(part, depth) for part in arguments))
    if origin is tuple:
        if depth > 2:
            return st.just(())
        items = values(arguments[0], depth + 1)
        return st.lists(items, max_size=2).map(tuple)
    if origin is Mapping:
        inner = JSON if arguments[1] is Any else values(arguments[1], depth)
        return st.dictionaries(TEXT, inner, max_size=2)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        return st.builds(
            hint, **{name: values(part, depth) for name, part in hints.items()}
        )
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return _PLAIN[hint]


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    type(None): st.none(),
    bool: st.booleans(),
    int: st.integers(0, 2**31 - 1),
    float: st.floats(0, 10, allow_nan=False),
    str: TEXT,
    datetime: TIMES,
    timedelta: SPANS,
}
