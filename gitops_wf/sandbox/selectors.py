"""Label and field selectors, with the server's own error texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_wf.sandbox.objects import Manifest, labels_of
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import bad_request

_TOKEN = re.compile(r"\s*(?:(==|!=|=|!|\(|\)|,|<|>)|([^\s=!(),<>]+))")
_SYMBOLS = frozenset({"=", "==", "!=", "!", "(", ")", ",", "<", ">"})
_WORDS = frozenset({"in", "notin"})

# The fields that each kind can be selected by, besides name and namespace.
_FIELDS: dict[str, tuple[str, ...]] = {
    "certificatesigningrequests.certificates.k8s.io": ("spec.signerName",),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "jobs.batch": ("status.successful",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    "replicasets.apps": ("status.replicas",),
    "replicationcontrollers": ("status.replicas",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
}
# Kinds whose unknown field gets the short text; the others list what they know.
_SHORT_TEXT = frozenset(_FIELDS) - {"services", "secrets"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether the labels fulfil the term."""
        present = self.key in labels
        value = labels.get(self.key, "")
        match self.operator:
            case "exists":
                return present
            case "!":
                return not present
            case "in" | "=" | "==":
                return present and value in self.values
            case "notin" | "!=":
                return not present or value not in self.values
            case _:
                return present and _compare(value, self.operator, self.values[0])


def _compare(value: str, operator: str, bound: str) -> bool:
    try:
        left, right = int(value), int(bound)
    except ValueError:
        return False
    return left > right if operator == ">" else left < right


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All terms of a label selector; no terms match everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, manifest: Manifest) -> bool:
        """Whether an object's labels fulfil every term."""
        labels = labels_of(manifest)
        return all(one.matches(labels) for one in self.requirements)


class _Tokens:
    """The words and symbols of a label selector."""

    def __init__(self, text: str) -> None:
        self._tokens = [first or second for first, second in _TOKEN.findall(text)]
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self._at += 1
        return token


def parse_labels(text: str) -> LabelSelector:
    """A label selector; ApiError 400 with the server's text where it is malformed."""
    tokens = _Tokens(text)
    found: list[Requirement] = []
    if not tokens.peek():
        return LabelSelector()
    while True:
        found.append(_requirement(tokens))
        following = tokens.take()
        if not following:
            return LabelSelector(tuple(found))
        if following != ",":
            raise bad_request(f"found '{following}', expected: ',' or 'end of string'")
        if not tokens.peek():
            raise bad_request("found '', expected: identifier after ','")


def _requirement(tokens: _Tokens) -> Requirement:
    first = tokens.take()
    if first == "!":
        return Requirement(tokens.take(), "!")
    if first in _SYMBOLS:
        raise bad_request(
            f"found '{first}', expected: !, identifier, or 'end of string'"
        )
    operator = tokens.peek()
    if operator in ("", ","):
        return Requirement(first, "exists")
    if operator not in _WORDS and operator not in ("=", "==", "!=", "<", ">"):
        raise bad_request(
            f"unable to parse requirement: found '{operator}', "
            "expected: in, notin, =, ==, !=, gt, lt"
        )
    tokens.take()
    if operator in _WORDS:
        return Requirement(first, operator, _values(tokens))
    value = "" if tokens.peek() in ("", ",") else tokens.take()
    if operator in ("<", ">") and not value.lstrip("-").isdigit():
        raise bad_request(
            f"values[0][{first}]: Invalid value: \"{value}\": for 'Gt', 'Lt' "
            "operators, the value must be an integer"
        )
    return Requirement(first, operator, (value,))


def _values(tokens: _Tokens) -> tuple[str, ...]:
    opening = tokens.take()
    if opening != "(":
        raise bad_request(
            f"unable to parse requirement: found '{opening}' expected: '('"
        )
    values: list[str] = []
    if tokens.peek() == ")":
        tokens.take()
        return ("",)
    while True:
        if tokens.peek() in (",", ")"):
            values.append("")
        else:
            values.append(tokens.take())
        following = tokens.take()
        if following == ")":
            return tuple(values)
        if following != ",":
            raise bad_request(
                f"unable to parse requirement: found '{following}', "
                "expected: ',' or ')'"
            )


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Terms of a field selector: path, whether it must be equal, value."""

    terms: tuple[tuple[str, bool, str], ...] = ()
    read: Callable[[Manifest, str], str] = lambda _manifest, _path: ""

    def matches(self, manifest: Manifest) -> bool:
        """Whether an object's fields fulfil every term."""
        return all(
            (self.read(manifest, path) == value) is equal
            for path, equal, value in self.terms
        )


def parse_fields(text: str, resource: Resource) -> FieldSelector:
    """A field selector; ApiError 400 where it is malformed or the field unknown."""
    terms: list[tuple[str, bool, str]] = []
    for part in text.split(","):
        if not part:
            continue
        for sign, equal in (("!=", False), ("==", True), ("=", True)):
            path, found, value = part.partition(sign)
            if found:
                terms.append((path, equal, value))
                break
        else:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
    for path, _, _ in terms:
        _check_field(path, resource)
    return FieldSelector(tuple(terms), _reader(resource))


def _check_field(path: str, resource: Resource) -> None:
    kind = resource.qualified
    extra = _FIELDS.get("events" if resource.plural == "events" else kind, ())
    if path in ("metadata.name", "metadata.namespace", *extra):
        return
    if kind in _SHORT_TEXT or resource.custom:
        raise bad_request(f"field label not supported: {path}")
    known = ", ".join(f'"{one}"' for one in ("metadata.name", "metadata.namespace"))
    raise bad_request(f'"{path}" is not a known field selector: only {known}')


def _reader(resource: Resource) -> Callable[[Manifest, str], str]:
    if resource.plural == "events":
        return _read_event
    return read_path


def read_path(manifest: Manifest, path: str) -> str:
    """The text of a field by its dotted path; '' where it is missing."""
    value: Any = manifest
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return "false" if path in _BOOLEANS else "0" if path in _NUMBERS else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_BOOLEANS = frozenset({"spec.unschedulable", "spec.hostNetwork"})
_NUMBERS = frozenset({"status.replicas", "status.successful"})


def _read_event(event: Manifest, path: str) -> str:
    if path == "source":
        source = event.get("source") or {}
        return source.get("component") or event.get("reportingComponent") or ""
    return read_path(event, path)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects these labels; an empty one selects everything."""
    selector = selector or {}
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(
        _expression_matches(one, labels)
        for one in selector.get("matchExpressions") or []
    )


def _expression_matches(
    expression: Mapping[str, Any], labels: Mapping[str, str]
) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
