"""What Git says about a commit and a tree, as frozen values; untrusted text throughout.

Paths are text relative to where they were asked from, `/` between parts; bytes that
are not UTF-8 are kept as surrogates (as `os.fsdecode` does), so they compare and round
trip, but must go through `errors.cut` before anybody prints them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from gitops_wf.core.identifiers import Oid, Sha

_REVERTS = re.compile(r"\bThis reverts commit ([0-9a-f]{40}(?:[0-9a-f]{24})?)\b")
_PERSON = re.compile(r"^\s*(?P<name>.*?)\s*<(?P<email>[^<>]*)>\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A name and an address as a commit claims them; nothing proves either."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, kw_only=True)
class CommitInfo:
    """One commit; `tree` is the id of its whole content, dates are in UTC."""

    sha: Sha
    parents: tuple[Sha, ...]
    tree: Oid
    author: Person
    authored_at: datetime
    committer: Person
    committed_at: datetime
    subject: str
    body: str
    trailers: tuple[tuple[str, str], ...] = ()

    @cached_property
    def co_authors(self) -> tuple[Person, ...]:
        """People of `Co-authored-by` trailers; malformed ones are left out."""
        found = (_PERSON.match(value) for value in self.trailer("Co-authored-by"))
        return tuple(Person(**match.groupdict()) for match in found if match)

    @cached_property
    def source_commit(self) -> str | None:
        """The last `Source-Commit: repo@sha` trailer, as CI writes it."""
        values = self.trailer("Source-Commit")
        return values[-1] if values else None

    @cached_property
    def claims_to_revert(self) -> tuple[Sha, ...]:
        """Commits that the message says it reverts: a claim to show, no more."""
        return tuple(Sha(sha) for sha in _REVERTS.findall(self.body))

    @property
    def first_parent(self) -> Sha | None:
        """What its changes are counted against; None for a root."""
        return self.parents[0] if self.parents else None

    @property
    def is_merge(self) -> bool:
        """Whether it has more than one parent."""
        return len(self.parents) > 1

    def trailer(self, key: str) -> tuple[str, ...]:
        """Values of the trailers named `key`, in any case, as Git compares them."""
        return tuple(v for k, v in self.trailers if k.lower() == key.lower())


class EntryKind(StrEnum):
    """What a path in a tree is; told by its mode alone."""

    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"


_KINDS: Mapping[int, EntryKind] = {
    0o120000: EntryKind.SYMLINK,
    0o160000: EntryKind.SUBMODULE,
    0o100755: EntryKind.EXECUTABLE,
}


def entry_kind(mode: int) -> EntryKind:
    """Kind of a mode; historic ones such as 100664 are files, as for Git."""
    return _KINDS.get(mode, EntryKind.FILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """A file, link or submodule; `path` is relative to the folder asked for."""

    path: str
    mode: int
    oid: Oid

    @property
    def kind(self) -> EntryKind:
        """What it is; a symlink's blob holds its target, a submodule has no blob."""
        return entry_kind(self.mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """All entries below a folder, in Git's order; equal `oid` means equal content."""

    oid: Oid
    entries: tuple[TreeEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChange:
    """A path whose content or mode differs; the absent side has mode 0 and no oid.

    Renames are a deletion and an addition.
    """

    path: str
    old_mode: int
    old_oid: Oid | None
    new_mode: int
    new_oid: Oid | None
