"""Kinds of fields that several files share, each with the rule that it keeps.

A validator raises `broken(rule, message)`; the rule's id is the error's type.
"""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from gitops_wf.core.durations import format_duration, parse_duration
from gitops_wf.core.errors import cut
from gitops_wf.core.sizes import Size, parse_size
from gitops_wf.core.substitution import NAME

API_VERSION = "gitops-wf.io/v1alpha1"
LONGEST = timedelta(days=366)
MAX_NAME = 63
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
NAME_SHAPE = (
    "lower-case letters, digits and `-`, with a letter or digit at both ends, at most"
    f" {MAX_NAME}"
)


class Part(BaseModel):
    """Base of all models of our files: names as in YAML, unknown ones are errors."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=False,
        arbitrary_types_allowed=True,
    )


def broken(rule: str, message: str) -> PydanticCustomError:
    """The error of a validator: `rule` is broken, and `message` says how."""
    # The template is formatted by pydantic, so it must hold no text of a user.
    return PydanticCustomError(rule, "{message}", {"message": message})


def _text(value: Any) -> Any:
    return getattr(value, "text", value)


def _condition(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value)


def check_name(value: str) -> str:
    """A DNS label (RFC 1123): it becomes part of names of Kubernetes objects."""
    if len(value) > MAX_NAME or not _NAME.fullmatch(value):
        raise broken("name-syntax", f"`{cut(value, 80)}` is no name: use {NAME_SHAPE}")
    return value


def _check_names(value: str) -> str:
    for part in value.split("/"):
        check_name(part)
    return value


def _check_word(value: str) -> str:
    if len(value) > MAX_NAME or not _WORD.fullmatch(value):
        raise broken(
            "output-name-syntax",
            f"`{cut(value, 80)}` is no name for an output: use letters, digits, `_` and"
            f" `-`, beginning with a letter, at most {MAX_NAME}",
        )
    return value


def _check_variable(value: str) -> str:
    if not NAME.fullmatch(value):
        raise broken(
            "variable-syntax",
            f"`{cut(value, 80)}` is no name for a variable: use letters, digits and"
            " `_`, not beginning with a digit",
        )
    return value


def _span(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    written = _text(value)
    if not isinstance(written, str):
        raise broken(
            "duration-syntax",
            f"{cut(str(value), 32)} has no unit: write a duration such as 90s or 1h30m",
        )
    try:
        span = parse_duration(written)
    except (ValueError, OverflowError) as exc:
        raise broken("duration-syntax", cut(str(exc))) from exc
    if span > LONGEST:
        raise broken(
            "duration-bounds", f"`{cut(written, 32)}` is longer than a year (366d)"
        )
    return span


def _size(value: Any) -> Any:
    written = _text(value)
    if isinstance(written, int) and not isinstance(written, bool):
        written = str(int(written))
    if not isinstance(written, str):
        raise broken("size-syntax", "must be a size, such as 512Mi")
    try:
        return parse_size(written)
    except ValueError as exc:
        raise broken("size-syntax", cut(str(exc))) from exc


def sizes(least: Size, most: Size) -> AfterValidator:
    """Take sizes between two, both included."""

    def check(value: int) -> Size:
        size = Size(value)
        if not least <= size <= most:
            raise broken(
                "size-bounds", f"must be between {least} and {most}, not {size}"
            )
        return size

    return AfterValidator(check)


def spans(least: timedelta, most: timedelta) -> AfterValidator:
    """Take durations between two, both included."""

    def check(value: timedelta) -> timedelta:
        if not least <= value <= most:
            raise broken(
                "duration-bounds",
                f"must be between {format_duration(least)} and {format_duration(most)}",
            )
        return value

    return AfterValidator(check)


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise broken("duration-bounds", "must be longer than 0s")
    return value


Text = Annotated[str, BeforeValidator(_text)]
"""Text, also where YAML would read a number: a scalar's source text."""

ConditionText = Annotated[
    str,
    BeforeValidator(_condition),
    WithJsonSchema({"type": ["string", "boolean", "number"]}),
]
Name = Annotated[
    str,
    BeforeValidator(_text),
    AfterValidator(check_name),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": 63}
    ),
]
PathName = Annotated[str, BeforeValidator(_text), AfterValidator(_check_names)]
"""Names joined by `/`, as an environment's."""

Word = Annotated[
    str,
    BeforeValidator(_text),
    AfterValidator(_check_word),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{_WORD.pattern}$", "maxLength": 63}
    ),
]
VariableName = Annotated[
    str,
    BeforeValidator(_text),
    AfterValidator(_check_variable),
    WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"}),
]
"""What stands in `${…}` in a manifest."""

_SPAN_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "pattern": r"^([0-9]+(\.[0-9]+)?(ms|d|h|m|s))+$",
        "examples": ["90s", "1h30m", "7d"],
    }
)
Span = Annotated[timedelta, BeforeValidator(_span), _SPAN_SCHEMA]
PositiveSpan = Annotated[
    timedelta, BeforeValidator(_span), AfterValidator(_positive), _SPAN_SCHEMA
]
Bytes = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema(
        {
            "type": ["string", "integer"],
            "pattern": "^[0-9]+([KMGT]i?|k)?$",
            "examples": ["512Mi", "2Gi"],
        }
    ),
]
"""A size; `sizes` says which a field takes."""

Flag = StrictBool
# Bounds belong into the type: those of a field's own `Field` beside a type that has
# some are dropped without a word.
Count = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
PositiveCount = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Quorum = Annotated[StrictInt, Field(ge=1, le=100)]
QueueLength = Annotated[StrictInt, Field(ge=1, le=1000)]
Places = Annotated[StrictInt, Field(ge=1, le=256)]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]


def _glob(value: str) -> str:
    path = value.removeprefix("!")
    if not path or path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise broken(
            "glob-syntax",
            f"`{cut(value, 80)}` is no pattern of folders: write one from the"
            " repository's root, such as envs/*",
        )
    return value


Glob = Annotated[Text, AfterValidator(_glob)]
