"""Adding an entry to an approvals file, everything else in it left as it stands.

The text is edited, not written anew: comments, order, quotes and layout are a
person's. Where to edit is told by the marks of YAML's own nodes.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import yaml

from gitops_wf.core.errors import DefinitionError

_PLAIN = re.compile(r"[A-Za-z0-9][\w.@/+-]*")
_KEY = "approvals"
_List: TypeAlias = yaml.SequenceNode | yaml.ScalarNode


def with_entry(path: str, text: str | None, entry: Mapping[str, str]) -> str:
    """Return the text of an approvals file with one more entry, the last.

    ``text`` is None where there is no file yet. Values of ``entry`` are text; the
    revision is always quoted. Errors: DefinitionError where the file is not one that
    can be added to.
    """
    if text is None or not _has_content(text):
        before = text or ""
        if before and not before.endswith("\n"):
            before += "\n"
        return f"{before}{_KEY}:\n  - {_flow(entry)}\n"
    newline = "\r\n" if "\r\n" in text else "\n"
    key, value = _approvals(path, text)
    if isinstance(value, yaml.ScalarNode):  # `approvals:` or `approvals: null`
        return _first(text, key, value, entry, newline)
    if not value.value:
        return _first(text, key, value, entry, newline)
    if value.flow_style:
        return _in_flow(text, value, entry, newline)
    return _in_block(text, value, entry, newline)


def one_entry_file(entry: Mapping[str, str]) -> str:
    """Return the text of a file of its own for one entry."""
    return "".join(f"{key}: {_scalar(key, value)}\n" for key, value in entry.items())


def _approvals(path: str, text: str) -> tuple[yaml.Node, _List]:
    """Return the nodes of the key and of the list under it."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = mark.line + 1 if mark else None
        problem = getattr(exc, "problem", None) or "is no valid YAML"
        raise DefinitionError(
            path, line, f"{problem}; mend the file first: no decision in it is read"
        ) from exc
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            if getattr(key, "value", None) != _KEY:
                continue
            empty = isinstance(value, yaml.ScalarNode) and value.tag.endswith(":null")
            if empty or isinstance(value, yaml.SequenceNode):
                return key, value
    raise DefinitionError(path, 1, f"has no list `{_KEY}`; write `{_KEY}:` first")


def _first(
    text: str, key: yaml.Node, value: yaml.Node, entry: Mapping[str, str], newline: str
) -> str:
    """Put the first entry below the key, in the place of `[]` or `null`."""
    start, end = value.start_mark.index, value.end_mark.index
    if start < end:
        text = text[:start].rstrip(" ") + text[end:]
    at = _next_line(text, key.end_mark.index)
    indent = " " * (key.start_mark.column + 2)
    return _inserted(text, at, f"{indent}- {_flow(entry)}", newline)


def _in_flow(text: str, value: Any, entry: Mapping[str, str], newline: str) -> str:
    """Put an entry behind the last of `[…]`, on a line of its own if that has one."""
    last = value.value[-1]
    end = last.end_mark.index
    if last.start_mark.line == value.start_mark.line:
        return f"{text[:end]}, {_flow(entry)}{text[end:]}"
    indent = " " * last.start_mark.column
    return f"{text[:end]},{newline}{indent}{_flow(entry)}{text[end:]}"


def _in_block(text: str, value: Any, entry: Mapping[str, str], newline: str) -> str:
    """Put an entry below the last, written as that one is."""
    last = value.value[-1]
    end = _leaf(last).end_mark
    at = end.index if end.column == 0 else _next_line(text, end.index)
    indent = " " * value.start_mark.column
    if isinstance(last, yaml.MappingNode) and not last.flow_style:
        inner = f"{newline}{' ' * last.start_mark.column}"
        gap = " " * (last.start_mark.column - value.start_mark.column - 1)
        lines = inner.join(f"{k}: {_scalar(k, v)}" for k, v in entry.items())
        return _inserted(text, at, f"{indent}-{gap}{lines}", newline)
    return _inserted(text, at, f"{indent}- {_flow(entry)}", newline)


def _leaf(node: yaml.Node) -> yaml.Node:
    """Return the node at which a block ends; a block's own end lies further on."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _leaf(last[1] if isinstance(last, tuple) else last)
    return node


def _next_line(text: str, index: int) -> int:
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _inserted(text: str, at: int, line: str, newline: str) -> str:
    before = text[:at]
    if before and not before.endswith("\n"):
        before += newline
    return f"{before}{line}{newline}{text[at:]}"


def _has_content(text: str) -> bool:
    return any(
        line.strip() and not line.lstrip().startswith("#")
        for line in text.removeprefix("\ufeff").splitlines()
        if line.strip() not in {"---", "..."}
    )


def _flow(entry: Mapping[str, str]) -> str:
    pairs = (f"{key}: {_scalar(key, value)}" for key, value in entry.items())
    return "{" + ", ".join(pairs) + "}"


def _scalar(key: str, value: str) -> str:
    """Return a value as one line that YAML reads as that text (or as that number)."""
    if key == "run":
        return value
    is_plain = (
        key != "revision" and _PLAIN.fullmatch(value) and yaml.safe_load(value) == value
    )
    return value if is_plain else "'" + value.replace("'", "''") + "'"
