"""Sets of field paths, in the very form of managedFields: FieldsV1.

A set is a dict from path element to the set below it. Elements are strings:
`f:name` a field, `k:{"name":"a"}` a list item by its keys, `v:"x"` an item of a set,
`i:0` one by its place. An empty dict is a member; one with members below it has the
key `.` as well if it is a member itself (structured-merge-diff, fieldpath).
"""

import json
from collections.abc import Iterator
from typing import Any

Fields = dict[str, Any]
Path = tuple[str, ...]


def is_member(node: Fields) -> bool:
    """Whether a node of a set is itself in the set, not only what is below it."""
    return not node or "." in node


def node_of(below: Fields, *, member: bool) -> Fields | None:
    """A node; None if there is nothing in it."""
    if not member:
        return below or None
    return {".": {}, **below} if below else {}


def children(node: Fields) -> Fields:
    """What is below a node."""
    if "." in node:
        return {k: v for k, v in node.items() if k != "."}
    return node


def union(left: Fields, right: Fields) -> Fields:
    """Members of either."""
    out = dict(left)
    for element, theirs in right.items():
        if element == ".":
            continue
        ours = left.get(element)
        if ours is None:
            out[element] = theirs
        elif ours is not theirs:
            both = union(children(ours), children(theirs))
            made = node_of(both, member=is_member(ours) or is_member(theirs))
            out[element] = made if made is not None else {}
    return out


def intersection(left: Fields, right: Fields) -> Fields:
    """Members of both."""
    out: Fields = {}
    for element, ours in left.items():
        theirs = right.get(element)
        if theirs is None or element == ".":
            continue
        below = intersection(children(ours), children(theirs))
        node = node_of(below, member=is_member(ours) and is_member(theirs))
        if node is not None:
            out[element] = node
    return out


def difference(left: Fields, right: Fields) -> Fields:
    """Members of left that are not members of right; a parent takes no child along."""
    if not right:
        return left
    out: Fields = {}
    for element, ours in left.items():
        theirs = right.get(element)
        if theirs is None or element == ".":
            out[element] = ours
            continue
        below = difference(children(ours), children(theirs))
        node = node_of(below, member=is_member(ours) and not is_member(theirs))
        if node is not None:
            out[element] = node
    return out


def without(left: Fields, right: Fields) -> Fields:
    """As `difference`, but a member of right takes everything below it along."""
    out: Fields = {}
    for element, ours in left.items():
        theirs = right.get(element)
        if theirs is None or element == ".":
            out[element] = ours
        elif not is_member(theirs):
            below = without(children(ours), theirs)
            node = node_of(below, member=is_member(ours))
            if node is not None:
                out[element] = node
    return out


def paths(fields: Fields, prefix: Path = ()) -> Iterator[Path]:
    """All members in the server's order: members of a level first, then below them."""
    elements = sorted((e for e in fields if e != "."), key=_order)
    for element in elements:
        if is_member(fields[element]):
            yield (*prefix, element)
    for element in elements:
        below = children(fields[element])
        if below:
            yield from paths(below, (*prefix, element))


def path_text(path: Path) -> str:
    """`.spec.containers[name="web"].image`."""
    return "".join(element_text(element) for element in path)


def element_text(element: str) -> str:
    """`.image`, `[name="web"]`, `[="x"]` or `[0]`."""
    form, value = element[:2], element[2:]
    if form == "f:":
        return f".{value}"
    if form == "k:":
        keys = json.loads(value)
        return "[" + ",".join(f"{k}={_json(v)}" for k, v in keys.items()) + "]"
    return f"[={value}]" if form == "v:" else f"[{value}]"


def key_element(keys: dict[str, Any]) -> str:
    """The element of a list item with these key fields."""
    return "k:" + _json(dict(sorted(keys.items())))


def value_element(value: Any) -> str:
    """The element of an item of a set."""
    return "v:" + _json(value)


_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def _order(element: str) -> tuple[int, Any]:
    form, value = element[:2], element[2:]
    if form == "f:":
        return (0, value)
    if form == "k:":
        keys = json.loads(value)
        return (1, [(name, _scalar_order(v)) for name, v in keys.items()])
    if form == "v:":
        return (2, _scalar_order(json.loads(value)))
    return (3, int(value))


def _scalar_order(value: Any) -> tuple[int, Any]:
    # Numbers before strings before booleans (value.Compare).
    if isinstance(value, bool):
        return (2, value)
    return (0, value) if isinstance(value, int | float) else (1, str(value))
