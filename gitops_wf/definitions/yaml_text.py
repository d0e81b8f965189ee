"""YAML text to values, within caps, with the place of everything in our own files.

Values are built straight from libyaml's events: no constructors, so no tags act, and no
node graph between, so it is as fast as PyYAML's own safe loading.

`read_documents` reads our files: maps and lists remember the line of each item
(`YamlMap`, `YamlList`) and numbers their text. `read_manifests` reads Kubernetes
objects as Kubernetes does (see `scalars`).
"""

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any, cast

import yaml
from yaml import (
    AliasEvent,
    CSafeLoader,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from gitops_wf.core.errors import DefinitionError, cut
from gitops_wf.core.substitution import UnknownVariableError, Variables
from gitops_wf.definitions.scalars import (
    Value,
    manifest_key,
    manifest_value,
    own_value,
)
from gitops_wf.ports.manifests import Document as ManifestDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps on one file; `nodes` counts what aliases repeat, too."""

    size: int
    documents: int
    nodes: int
    depth: int
    aliases: int


OWN_LIMITS = Limits(size=1 << 20, documents=100, nodes=100_000, depth=50, aliases=100)
MANIFEST_LIMITS = Limits(
    size=8 << 20, documents=5_000, nodes=500_000, depth=100, aliases=1_000
)


SUBSTITUTE_MARKS = (
    "gitops-wf.io/substitute",
    "kustomize.toolkit.fluxcd.io/substitute",
)
"""Annotations or labels that keep an object as it is written: `disabled`."""


class YamlMap(dict[str, Any]):
    """A map that knows the line of itself and of each key."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class YamlList(list[Any]):
    """A list that knows the line of itself and of each item."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document: its value and the line where it begins, from 1."""

    value: Any
    line: int


def read_documents(
    data: bytes, path: str, limits: Limits = OWN_LIMITS
) -> list[Document]:
    """Read one of our files; DefinitionError names the line.

    Documents that hold nothing are left out.
    """
    return _Reader(path, limits, own_value, _own_key, placed=True).read(data)


def read_manifests(
    path: str, data: bytes, variables: Variables | None = None
) -> Sequence[ManifestDocument]:
    """Read a file of Kubernetes objects (ports.manifests.ManifestReader).

    Variables are filled in before an unquoted scalar gets its type, so that
    ``replicas: ${n}`` is a number and ``"${n}"`` a string.
    """
    reader = _Reader(path, MANIFEST_LIMITS, manifest_value, _manifest_key, placed=False)
    found = reader.read(data)
    if variables is not None and b"${" in data:
        reader = _Reader(
            path,
            MANIFEST_LIMITS,
            manifest_value,
            _manifest_key,
            placed=False,
            variables=variables,
            left_alone={each.line for each in found if _is_left_alone(each.value)},
        )
        found = reader.read(data)
    documents = []
    for document in found:
        if not isinstance(document.value, dict):
            raise DefinitionError(
                path,
                document.line,
                f"a manifest is a map with apiVersion, kind and metadata, not"
                f" {kind_of(document.value)}",
            )
        documents.append(ManifestDocument(manifest=document.value, line=document.line))
    return documents


def _is_left_alone(manifest: object) -> bool:
    """Whether an object says that no variable of it is meant."""
    if not isinstance(manifest, dict) or not isinstance(
        metadata := manifest.get("metadata"), dict
    ):
        return False
    return any(
        isinstance(marks := metadata.get(part), dict)
        and str(marks.get(name, "")).lower() == "disabled"
        for part in ("annotations", "labels")
        for name in SUBSTITUTE_MARKS
    )


def kind_of(value: object) -> str:
    """What a value is called in a message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case dict():
            return "a map"
        case _:
            return type(value).__name__


def _own_key(text: str, _is_quoted: bool) -> str:  # noqa: FBT001 - one of two key readers
    return text


def _manifest_key(text: str, is_quoted: bool) -> str:  # noqa: FBT001 - one of two key readers
    return manifest_key(text, is_quoted=is_quoted)


_STANDARD = "tag:yaml.org,2002:"
_STRING_TAGS = frozenset({"!", f"{_STANDARD}str"})
_TYPED_TAGS: dict[str, type | tuple[type, ...]] = {
    f"{_STANDARD}int": int,
    f"{_STANDARD}float": (int, float),
    f"{_STANDARD}bool": bool,
    f"{_STANDARD}null": type(None),
}
_MAP_TAGS = frozenset({None, "!", f"{_STANDARD}map"})
_LIST_TAGS = frozenset({None, "!", f"{_STANDARD}seq"})
_CONFLICT = re.compile(rb"^<{7} .*$(?s:.*)^>{7} ", re.MULTILINE)
_BARE_EXPRESSION = re.compile(r"[:-]\s+!")
_MERGE = "<<"


class _Reader:
    def __init__(
        self,
        path: str,
        limits: Limits,
        resolve: Callable[[str], Value],
        key: Callable[[str, bool], str],
        *,
        placed: bool,
        variables: Variables | None = None,
        left_alone: Container[int] = (),
    ) -> None:
        self._variables = variables
        self._left_alone = left_alone
        self._path = path
        self._limits = limits
        self._resolve = resolve
        self._key = key
        self._placed = placed
        self._nodes = 0

    def read(self, data: bytes) -> list[Document]:
        if len(data) > self._limits.size:
            raise self._error(
                None,
                f"has {len(data):,} bytes; at most {self._limits.size:,} are read:"
                " split the file",
            )
        loader = CSafeLoader(data)
        try:
            return self._documents(loader)
        except yaml.MarkedYAMLError as exc:
            raise self._syntax_error(exc, data) from exc
        except (yaml.YAMLError, UnicodeError, ValueError) as exc:
            reason = str(getattr(exc, "reason", None) or exc).split("\n")[0]
            position = getattr(exc, "position", None)
            line = data[:position].count(b"\n") + 1 if position else None
            # What is refused before there are tokens is a character of the file.
            mend = "; save the file as UTF-8 text" if position is not None else ""
            raise self._error(line, f"is no valid YAML: {cut(reason)}{mend}") from exc
        finally:
            loader.dispose()

    def _documents(self, loader: Any) -> list[Document]:
        get = loader.get_event
        get()  # the stream's start
        documents: list[Document] = []
        for _ in range(self._limits.documents):
            event = get()
            if not isinstance(event, DocumentStartEvent):
                return documents
            value, line = self._document(get)
            if value is not None:
                documents.append(Document(value=value, line=line))
        more = get()
        if not isinstance(more, DocumentStartEvent):
            return documents
        line = cast("Any", more).start_mark.line + 1
        raise self._error(line, f"has more than {self._limits.documents} documents")

    def _document(self, get: Callable[[], Any]) -> tuple[Any, int]:
        """Build one document from its events, without recursion."""
        resolved: dict[str, Value] = {}
        anchors: dict[str, tuple[Any, int]] = {}
        # Per open collection: itself, its anchor, its nodes so far, the waiting key.
        open_anchors: list[tuple[str | None, int]] = []
        stack: list[Any] = []
        keys: list[str | None] = []
        merges: list[list[tuple[int, Any]] | None] = []
        current: Any = None
        key: str | None = None
        merge: list[tuple[int, Any]] | None = None
        root: Any = None
        root_line = 0
        variables = self._variables
        aliases = 0
        nodes = self._nodes
        most = self._limits.nodes
        depth = self._limits.depth
        placed = self._placed
        while True:
            event = get()
            kind = type(event)
            line = event.start_mark.line + 1
            if not root_line:
                root_line = line
                if line in self._left_alone:
                    variables = None
            if kind is ScalarEvent:
                nodes += 1
                text = event.value
                if variables is not None:
                    text = self._filled(variables, text, line)
                tag = event.tag
                quoted = event.style in _QUOTED
                if type(current) in _MAPS and key is None:
                    if tag is not None and tag not in _STRING_TAGS:
                        raise self._tag_error(line, tag)
                    if text == _MERGE and not quoted:
                        key = _MERGE_KEY
                        continue
                    key = self._key(text, quoted)
                    if "\0" in key:
                        raise self._error(line, "a key holds a NUL character")
                    if key in current:
                        raise self._error(
                            line, f"`{cut(key, 64)}` stands here a second time"
                        )
                    if event.anchor:
                        anchors[event.anchor] = (key, 1)
                    if placed:
                        current.lines[key] = line
                    current[key] = None
                    continue
                if quoted and tag is None:
                    value = text
                elif tag is None:
                    if text in resolved:
                        value = resolved[text]
                    else:
                        value = resolved[text] = self._resolve(text)
                else:
                    value = self._tagged(line, tag, text)
                if quoted and "\0" in text:
                    raise self._error(line, "a text holds a NUL character")
                if event.anchor:
                    anchors[event.anchor] = (value, 1)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                nodes += 1
                if type(current) in _MAPS and key is None:
                    raise self._error(line, "a key must be text, not a map or a list")
                if len(stack) >= depth:
                    raise self._error(line, f"is nested deeper than {depth}")
                is_map = kind is MappingStartEvent
                if event.tag not in (_MAP_TAGS if is_map else _LIST_TAGS):
                    raise self._tag_error(line, event.tag)
                stack.append(current)
                keys.append(key)
                merges.append(merge)
                open_anchors.append((event.anchor, nodes))
                if placed:
                    current = YamlMap(line) if is_map else YamlList(line)
                else:
                    current = {} if is_map else []
                key = merge = None
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                value = current
                if merge:
                    nodes += self._merge(current, merge)
                anchor, before = open_anchors.pop()
                if anchor:
                    anchors[anchor] = (value, nodes - before + 1)
                current = stack.pop()
                key = keys.pop()
                merge = merges.pop()
                line = getattr(value, "line", line)
            elif kind is AliasEvent:
                if event.anchor not in anchors:
                    raise self._error(
                        line,
                        f"the alias `*{cut(event.anchor, 64)}` names nothing that is"
                        " complete before it",
                    )
                value, size = anchors[event.anchor]
                aliases += 1
                nodes += size
                if aliases > self._limits.aliases:
                    raise self._error(
                        line, f"has more than {self._limits.aliases} aliases"
                    )
                if type(current) in _MAPS and key is None:
                    raise self._error(line, "a key must be written out, not an alias")
            elif kind is DocumentEndEvent:
                self._nodes = nodes
                return root, root_line
            else:
                raise self._error(line, "is no valid YAML")
            if nodes > most:
                raise self._error(
                    line, f"holds more than {most:,} values (aliases repeat theirs)"
                )
            if current is None:
                root = value
            elif type(current) in _MAPS:
                if key is _MERGE_KEY:
                    merge = [*(merge or ()), (line, value)]
                else:
                    current[key] = value
                key = None
            else:
                current.append(value)
                if placed:
                    current.lines.append(line)

    def _filled(self, variables: Variables, text: str, line: int) -> str:
        try:
            return variables.fill(text)
        except UnknownVariableError as exc:
            raise self._error(line, str(exc)) from exc

    def _merge(self, target: dict[str, Any], sources: list[tuple[int, Any]]) -> int:
        """Carry out `<<`: what the map itself says wins, then the first named."""
        added = 0
        for line, source in sources:
            for one in source if isinstance(source, list) else [source]:
                if not isinstance(one, dict):
                    raise self._error(line, "`<<` takes a map or a list of maps")
                new = one.keys() - target.keys()
                added += len(new)
                target.update({key: one[key] for key in one if key in new})
                if isinstance(target, YamlMap):
                    target.lines.update(dict.fromkeys(new, line))
        return added

    def _tagged(self, line: int, tag: str, text: str) -> Value:
        if tag in _STRING_TAGS:
            return text
        wanted = _TYPED_TAGS.get(tag)
        if wanted is None:
            raise self._tag_error(line, tag)
        value = self._resolve(text)
        if not isinstance(value, wanted):
            raise self._error(
                line, f"`{cut(text, 64)}` is no {tag.removeprefix(_STANDARD)}"
            )
        return value

    def _tag_error(self, line: int, tag: str) -> DefinitionError:
        shown = cut(tag.replace(_STANDARD, "!!"), 64)
        return self._error(
            line,
            f"`{shown}` is a YAML tag, and none are accepted; put an expression that"
            f" begins with ! in quotes: '{shown}'",
        )

    def _syntax_error(self, exc: yaml.MarkedYAMLError, data: bytes) -> DefinitionError:
        conflict = _CONFLICT.search(data)
        if conflict is not None:
            return self._error(
                data.count(b"\n", 0, conflict.start()) + 1,
                "holds a merge conflict: keep one of the two sides, and take out the"
                " lines that begin with <<<<<<<, ======= and >>>>>>>",
            )
        mark = exc.problem_mark or exc.context_mark
        line = None if mark is None else mark.line + 1
        problem = cut(exc.problem or str(exc))
        text = ""
        if mark is not None:
            lines = data.split(b"\n", mark.line + 1)
            text = lines[min(mark.line, len(lines) - 1)].decode("utf-8", "replace")
        if _BARE_EXPRESSION.search(text):
            problem += "; put an expression that begins with ! in quotes"
        elif "\t" in text[: len(text) - len(text.lstrip())] or "'\\t'" in problem:
            problem += "; indent with spaces, not tabs"
        elif "mapping values are not allowed" in problem:
            problem += "; put text that holds `: ` in quotes, or mend the indentation"
        elif problem.startswith(
            ("did not find expected '-'", "did not find expected <bl")
        ):
            problem += "; what belongs together begins in the same column"
        return self._error(line, f"is no valid YAML: {problem}")

    def _error(self, line: int | None, message: str) -> DefinitionError:
        return DefinitionError(self._path, line, message)


_QUOTED = frozenset({"'", '"', "|", ">"})
_MAPS = frozenset({dict, YamlMap})
_MERGE_KEY = "\0<<"
