"""Fields of a YAML file, read and set by JSON pointer; all else stays as it is written.

The text is edited where YAML's own marks say that the value stands, so that comments,
order and layout are a person's. What comes out is read again, and must differ in that
field alone.
"""

from typing import Any

import yaml

from gitops_wf.core.errors import DefinitionError, cut
from gitops_wf.core.upkeep.ignoring import Pointer, parse_pointer

Scalar = str | int | float | bool | None

TEXT_LIMIT = 1024 * 1024
"""Characters of a file that is edited; YAML's own parser takes seconds for more."""

_DEPTH = 64


def field_at(path: str, text: str, pointer: str) -> Scalar:
    """Return a field's value; DefinitionError where there is none, or no scalar."""
    _, node = _found(path, _documents(path, text), pointer)
    return _value(node)


def with_field(path: str, text: str, pointer: str, value: Scalar) -> str:
    """Return the text with one field set, which must be there.

    Errors: DefinitionError where it is not, or cannot be set alone.
    """
    before = _documents(path, text)
    number, node = _found(path, before, pointer)
    if node.style in {"|", ">"}:
        raise _error(path, node, f"{pointer} is a block of text: it cannot be set")
    start, end = node.start_mark.index, node.end_mark.index
    gap = " " if start == end else ""  # `key:` and nothing more
    # Inside `{…}`, and with signs that mean something there, only quotes will do.
    for style in (node.style, '"'):
        new = f"{text[:start]}{gap}{_written(value, style)}{text[end:]}"
        if _is_set(path, before, new, (number, pointer), value):
            return new
    raise _error(path, node, f"{pointer} cannot be set without changing more")


def _is_set(
    path: str,
    before: list[yaml.Node],
    text: str,
    place: tuple[int, str],
    value: Scalar,
) -> bool:
    """Whether a text has the value in its place, and is otherwise as before."""
    try:
        after = _documents(path, text)
        _, node = _found(path, after, place[1])
    except DefinitionError:
        return False
    parts = parse_pointer(place[1])
    holes = [parts if number == place[0] else None for number in range(len(before))]
    is_same = len(before) == len(after) and all(map(_is_same, before, after, holes))
    return is_same and _value(node) == value


def _documents(path: str, text: str) -> list[yaml.Node]:
    if len(text) > TEXT_LIMIT:
        raise DefinitionError(
            path, None, f"has more than {TEXT_LIMIT} characters: no field is set in it"
        )
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            # Else the tree is built, and walked, by calls inside calls.
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEPTH:
                raise _error(path, event, f"is nested deeper than {_DEPTH}")
            if isinstance(event, yaml.AliasEvent):
                raise _error(
                    path, event, "has an alias: to set one field could change others"
                )
        found = yaml.compose_all(text, Loader=yaml.SafeLoader)
        return list(found)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        problem = getattr(exc, "problem", None) or "is no valid YAML"
        line = mark.line + 1 if mark else None
        raise DefinitionError(path, line, cut(str(problem))) from exc


def _found(
    path: str, documents: list[yaml.Node], pointer: str
) -> tuple[int, yaml.ScalarNode]:
    """Return the one document with the field, and the field's node."""
    parts = parse_pointer(pointer)
    found = [
        (number, node)
        for number, document in enumerate(documents)
        if (node := _at(path, document, parts)) is not None
    ]
    if not found:
        raise DefinitionError(path, None, f"has no field {cut(pointer, 120)}")
    if len(found) > 1:
        raise _error(
            path,
            found[1][1],
            f"{cut(pointer, 120)} is in a document before, too: keep one for a file",
        )
    number, node = found[0]
    if not isinstance(node, yaml.ScalarNode):
        raise _error(
            path, node, f"{cut(pointer, 120)} is no single value: name one inside it"
        )
    return number, node


def _at(path: str, node: yaml.Node, parts: Pointer) -> yaml.Node | None:
    for part in parts:
        if isinstance(node, yaml.SequenceNode):
            index = (
                int(part) if part.isdecimal() and part.isascii() else len(node.value)
            )
            if index >= len(node.value):
                return None
            node = node.value[index]
        elif isinstance(node, yaml.MappingNode):
            under = [value for key, value in node.value if key.value == part]
            if not under:
                return None
            if len(under) > 1:
                raise _error(path, under[1], f"key {cut(part, 64)} is there twice")
            node = under[0]
        else:
            return None
    return node


def _is_same(one: yaml.Node, other: yaml.Node, hole: Pointer | None) -> bool:
    """Whether two trees are the same, less what is at the hole."""
    if hole == ():
        return True
    if type(one) is not type(other) or one.tag != other.tag:
        return False
    if isinstance(one, yaml.ScalarNode):
        return bool(one.value == other.value)
    if len(one.value) != len(other.value):
        return False
    if isinstance(one, yaml.MappingNode):
        return all(
            _is_same(key, key2, None)
            and _is_same(value, value2, _inside(hole, str(key.value)))
            for (key, value), (key2, value2) in zip(one.value, other.value, strict=True)
        )
    return all(
        _is_same(item, item2, _inside(hole, str(number)))
        for number, (item, item2) in enumerate(zip(one.value, other.value, strict=True))
    )


def _inside(hole: Pointer | None, part: str) -> Pointer | None:
    return hole[1:] if hole and hole[0] == part else None


def _value(node: yaml.ScalarNode) -> Scalar:
    value: Any = yaml.SafeLoader("").construct_object(node)
    # A date, say, is meant as it is written.
    return value if isinstance(value, str | int | float | None) else str(node.value)


def _written(value: Scalar, style: str | None) -> str:
    """Return a value as YAML has it, in the quotes of what stood there before."""
    quotes = style if isinstance(value, str) else None
    text: str = yaml.safe_dump(
        value, default_style=quotes, width=10**9, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("...").rstrip("\n")


def _error(path: str, node: yaml.Node | yaml.Event, message: str) -> DefinitionError:
    mark = node.start_mark
    return DefinitionError(path, None if mark is None else mark.line + 1, message)
