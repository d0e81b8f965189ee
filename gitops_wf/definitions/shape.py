"""Checks a document against a model and says each problem in the user's words."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gitops_wf.core.errors import cut
from gitops_wf.core.expressions import did_you_mean
from gitops_wf.definitions.problems import Location, Problem, line_at
from gitops_wf.definitions.yaml_text import kind_of

M = TypeVar("M", bound=BaseModel)

_MOST_ERRORS = 200
"""How many errors are put into words, before the first by line are told."""

_KINDS = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a map",
    "mapping_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
}


def shaped(model: type[M], value: Any, path: str) -> tuple[M | None, list[Problem]]:
    """`value` as `model`, or every problem with it."""
    try:
        return model.model_validate(value), []
    except ValidationError as exc:
        found = map(_untagged, exc.errors(include_url=False, include_context=True))
        return None, [
            Problem(
                rule=rule_of(error),
                path=path,
                line=line_at(value, error["loc"]),
                message=sentence(error, model),
            )
            for error in islice(found, _MOST_ERRORS)
            if not _is_echo(error)
        ]


def _untagged(error: ErrorDetails) -> ErrorDetails:
    """Return what is wrong with the field that tells models apart as of any field."""
    context = error.get("ctx", {})
    location = (*error["loc"], str(context.get("discriminator", "")).strip("'"))
    if error["type"] == "union_tag_not_found":
        return {**error, "type": "missing", "loc": location}
    if error["type"] != "union_tag_invalid":
        return error
    *most, last = str(context["expected_tags"]).split(", ")
    return {
        **error,
        "type": "literal_error",
        "loc": location,
        "input": context["tag"],
        "ctx": {"expected": f"{', '.join(most)} or {last}" if most else last},
    }


def _is_echo(error: ErrorDetails) -> bool:
    """Whether a list is only called empty because its items are wrong."""
    return error["type"] == "too_short" and bool(error.get("input"))


def rule_of(error: ErrorDetails) -> str:
    """The rule that an error of pydantic breaks."""
    kind = error["type"]
    if kind == "extra_forbidden":
        return "unknown-key"
    if kind == "missing":
        return "missing-key"
    if kind in _KINDS:
        return "wrong-type"
    return kind if "-" in kind else "wrong-value"


def sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong, and what would be right."""
    location = error["loc"]
    if location[-1:] == ("[key]",):  # of a map: the message quotes it
        location = location[:-2]
    key = next((part for part in reversed(location) if isinstance(part, str)), "")
    subject = f"`{cut(str(key), 64)}`" if key else "the file"
    if location and isinstance(location[-1], int):
        subject = f"item {location[-1] + 1} of {subject}"
    kind = error["type"]
    context = error.get("ctx", {})
    given = error.get("input")
    match kind:
        case "extra_forbidden":
            known = sorted(set(keys_at(model, location[:-1])))
            where = _container(location[:-1])
            return f"unknown key {subject}{where}{did_you_mean(str(key), known)}"
        case "missing":
            return f"{subject} is missing{_container(location[:-1])}"
        case "literal_error" | "enum":
            expected = str(context.get("expected", "")).replace("'", "")
            words = expected.replace(" or ", ", ").split(", ")
            return (
                f"{subject} must be {expected}, not {_shown(given)}"
                f"{_near(str(given), words)}"
            )
        case "value_error":
            text = cut(str(context.get("error", error["msg"])))
            return f"{subject}: {text}" if key else text
        case "greater_than_equal":
            return f"{subject} must be at least {context['ge']}, not {_shown(given)}"
        case "less_than_equal":
            return f"{subject} must be at most {context['le']}, not {_shown(given)}"
        case "too_short":
            return f"{subject} is empty"
        case _ if kind in _KINDS:
            return f"{subject} must be {_KINDS[kind]}, not {_shown(given)}"
        case _ if "-" in kind and not key:
            return error["msg"]
        case _ if "-" in kind:
            return f"{subject}: {error['msg']}"
        case _:
            message = error["msg"]
            return f"{subject}: {message[:1].lower()}{cut(message[1:])}"


def keys_at(model: type[BaseModel], location: Location) -> Iterator[str]:
    """The keys that the map at `location` may have."""
    models = [model]
    for part in location:
        if isinstance(part, int):
            continue
        inner = [
            found
            for one in models
            for name, info in one.model_fields.items()
            if (info.alias or name) == part
            for found in _models_in(info.annotation)
        ]
        models = inner or models
    for one in models:
        for name, info in one.model_fields.items():
            yield info.alias or name


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _container(location: Location) -> str:
    names = [part for part in location if isinstance(part, str)]
    return f" in `{names[-1]}`" if names else ""


def _near(word: str, words: list[str]) -> str:
    hint = did_you_mean(word, words)
    return hint if hint.startswith("; did") else ""


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"`{cut(value, 64)}`"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return cut(getattr(value, "text", str(value)), 64)
    return kind_of(value)
