"""Which differences between Git and a cluster are nobody's business.

Flux's `spec.driftDetection.ignore` (paths and a target) and Argo CD's
`ignoreDifferences` (JSON pointers and managers) in one form.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gitops_wf.core.inventory import ObjectRef

Pointer = tuple[str, ...]
"""A JSON pointer (RFC 6901), taken apart; empty for the whole object."""

IDENTITY: tuple[Pointer, ...] = (
    ("apiVersion",),
    ("kind",),
    ("metadata", "name"),
    ("metadata", "namespace"),
)
"""What makes an object the one that it is: no rule can ignore that."""

_STRAY_TILDE = re.compile(r"~(?![01])")


def parse_pointer(text: str) -> Pointer:
    """Take a JSON pointer apart: ``/metadata/annotations/a~1b``; ValueError if none."""
    if text and not text.startswith("/"):
        raise ValueError("must begin with `/`, as /spec/replicas")
    if _STRAY_TILDE.search(text):
        raise ValueError("a `~` in it is written `~0`, and a `/` in a name `~1`")
    parts = text.split("/")[1:]
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def pointer_text(pointer: Iterable[str]) -> str:
    """Return a pointer as RFC 6901 writes it: what a rule's `paths` take."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in pointer)


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreTarget:
    """The objects that a rule is for: globs, of which all must match."""

    group: str = "*"
    kind: str = "*"
    namespace: str = "*"
    name: str = "*"

    def matches(self, ref: ObjectRef) -> bool:
        """Whether an object is meant."""
        return (
            fnmatchcase(ref.group, self.group)
            and fnmatchcase(ref.kind, self.kind)
            and fnmatchcase(ref.namespace, self.namespace)
            and fnmatchcase(ref.name, self.name)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRule:
    """Fields that may differ: at these JSON pointers, or owned by these managers.

    ``managers`` are globs over the names in ``metadata.managedFields``.
    """

    paths: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()
    target: IgnoreTarget = IgnoreTarget()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """What all rules together say of one object."""

    paths: tuple[Pointer, ...] = ()
    managers: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the object is not compared at all, be it there or not."""
        return () in self.paths

    def manages(self, manager: str) -> bool:
        """Whether what this manager owns may differ."""
        return any(fnmatchcase(manager, glob) for glob in self.managers)


def ignored_of(ref: ObjectRef, rules: Iterable[IgnoreRule]) -> Ignored:
    """Return what the rules that are for an object let differ."""
    found = [rule for rule in rules if rule.target.matches(ref)]
    return Ignored(
        paths=tuple(parse_pointer(path) for rule in found for path in rule.paths),
        managers=tuple(name for rule in found for name in rule.managers),
    )
