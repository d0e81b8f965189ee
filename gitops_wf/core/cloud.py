"""Cloud resources by rules, which are data: which objects are some, and their Secret.

A cloud resource is an object that a controller on the hub cluster makes real, such as
a database, and whose access data it writes into a Secret. A rule is found by API group
and kind, as a health rule is: the more exact one wins, of two that are equally exact a
user's. A group of ``*`` is any group that is not Kubernetes' own.

Whether one is ready is no rule of these: that is its health.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.expressions import ExpressionError
from gitops_wf.core.health.rules import parse_rule_message, variables_of
from gitops_wf.core.inventory import Manifest, ObjectRef, annotations_of

ANY_GROUP = "*"
SECRET_ANNOTATION = "gitops-wf.io/connection-secret"  # noqa: S105 - a name
"""On a cloud resource: the name of its Secret, where no field of it says that."""

_SUFFIX = "*."
_KUBERNETES = (".k8s.io", ".kubernetes.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRule:
    """Which objects are cloud resources, and where their Secret is.

    ``group`` and ``kind`` as those of a health rule. An object must have one of the
    fields ``having``, dotted paths, where any are named. ``secret_name`` and
    ``secret_namespace`` are CEL over the object; without a namespace the Secret is in
    the object's own. ``fills`` is the field that says so to a
    controller which would take another one. ``origin`` is ``path:line``.
    """

    group: str
    kind: str = ""
    having: tuple[str, ...] = ()
    secret_name: str = ""
    secret_namespace: str = ""
    fills: str = ""
    origin: str = ""

    def takes(self, manifest: Manifest) -> bool:
        """Whether an object of this kind is a cloud resource."""
        return not self.having or any(_has(manifest, path) for path in self.having)

    def secret_of(self, manifest: Manifest) -> ObjectRef | None:
        """Return the Secret of an object; None where it has none, or none yet."""
        metadata = manifest.get("metadata") or {}
        annotated = annotations_of(manifest).get(SECRET_ANNOTATION)
        own = str(metadata.get("namespace") or "")
        if annotated:
            place, _, name = str(annotated).rpartition("/")
            return _secret(place or own, name)
        variables = variables_of(manifest)
        name = _text(self.secret_name, variables)
        if not name:
            return None
        return _secret(_text(self.secret_namespace, variables) or own, name)

    def completed(self, manifest: Manifest) -> Manifest:
        """Return the object with the namespace of its Secret written out.

        Only where it names a Secret and no namespace, and its controller would take
        another one than the object's own.
        """
        *parents, last = self.fills.split(".")
        namespace = (manifest.get("metadata") or {}).get("namespace")
        if not parents or not namespace or not _has(manifest, ".".join(parents)):
            return manifest
        return _with(manifest, parents, last, str(namespace))


class CloudRules:
    """The rules that hold: a user's before those that are shipped."""

    def __init__(
        self, shipped: Iterable[CloudRule] = (), users: Iterable[CloudRule] = ()
    ) -> None:
        self._rules = (*shipped, *users)
        # Of two of the same name the later one holds.
        self._by_name = {(rule.group, rule.kind): rule for rule in self._rules}
        ends = {group for group, _ in self._by_name if group.startswith(_SUFFIX)}
        self._ends = tuple(sorted(ends, key=len, reverse=True))

    def find(self, manifest: Manifest) -> CloudRule | None:
        """Return the most exact rule that takes an object; None: it is none."""
        if not self._by_name:
            return None
        ref = ObjectRef.of(manifest)
        if not _may_be_custom(ref.group):
            return None
        ends = [end for end in self._ends if f".{ref.group}".endswith(end[1:])]
        for group in (ref.group, *ends, ANY_GROUP):
            for kind in (ref.kind, ""):
                rule = self._by_name.get((group, kind))
                if rule is not None:
                    return rule if rule.takes(manifest) else None
        return None

    def hints(self) -> tuple[bytes, ...]:
        """Return texts of which a file with cloud resources has at least one."""
        found: dict[str, None] = {}
        for rule in self._rules:
            if rule.group == ANY_GROUP:
                found |= dict.fromkeys(p.rpartition(".")[2] for p in rule.having)
            else:
                found[rule.group.removeprefix(_SUFFIX)] = None
        return tuple(text.encode() for text in found)

    def __iter__(self) -> Iterator[CloudRule]:
        """The rules that hold, by group and kind."""
        return iter(self._by_name[name] for name in sorted(self._by_name))


NO_CLOUD_RULES = CloudRules()


@dataclass(frozen=True, slots=True)
class CloudChoice:
    """Cloud resources of an environment's content, by name; no names are all.

    A name is an object's, or ``Kind/name``.
    """

    rules: CloudRules = field(hash=False)
    names: tuple[str, ...] = ()

    def takes(self, manifest: Manifest) -> bool:
        """Whether an object is one of them."""
        if self.rules.find(manifest) is None:
            return False
        name = str((manifest.get("metadata") or {}).get("name", ""))
        return not self.names or any(
            each in {name, f"{manifest.get('kind')}/{name}"} for each in self.names
        )


def parse_secret_place(text: str) -> None:
    """Check an expression of a rule; raises ExpressionError."""
    parse_rule_message(text)


def _may_be_custom(group: str) -> bool:
    """Whether a group may be of custom kinds: Kubernetes' own are short, or end so."""
    return "." in group and not f".{group}".endswith(_KUBERNETES)


def _secret(namespace: str, name: str) -> ObjectRef:
    return ObjectRef(group="", kind="Secret", namespace=namespace, name=name)


def _text(expression: str, variables: Mapping[str, Any]) -> str:
    """Return what an expression gives; nothing where it reads what is not there."""
    if not expression:
        return ""
    try:
        value = parse_rule_message(expression).evaluate(variables)
    except ExpressionError:
        return ""
    return cut(value, 253) if isinstance(value, str) else ""


def _has(manifest: Manifest, path: str) -> bool:
    value: Any = manifest
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return value is not None


def _with(value: Any, parents: list[str], last: str, text: str) -> dict[str, Any]:
    if parents:
        first, *rest = parents
        return {**value, first: _with(value[first], rest, last, text)}
    return {**value, last: value.get(last) or text}
