"""Which entries of the approvals files a commit introduced, and by whose hand.

An entry is introduced by each commit, merged side commits included, whose tree has
its key while no parent's has; for a parent that cannot be read its nearest readable
ancestor stands in (design section 2). What is not in the tree that the branch got
has been withdrawn before it arrived.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gitops_wf.core.commit import CommitInfo
from gitops_wf.core.decision import Entry, EntryKey
from gitops_wf.core.errors import DefinitionError, cut
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.core.inputs import APPROVALS, APPROVALS_FOLDER, is_decision_path
from gitops_wf.ports.git import GitRepository, OversizedBlob

MAX_BYTES = 1024 * 1024
"""The size above which an approvals file is not read."""

_MOST_UNREADABLE = 200
"""How many unreadable ancestors are looked behind."""

_KEPT = 32
"""States of approvals files: each holds every entry of its environment so far."""

_Files = tuple[tuple[str, Oid], ...]
"""Paths and what they hold."""

ReadEntries = Callable[[str, bytes], Sequence[Entry]]
"""Parses one file; DefinitionError where it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduced:
    """An entry and the commit whose author decided."""

    entry: Entry
    commit: CommitInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """The entries of an environment at a commit, or why they cannot be read."""

    entries: Mapping[EntryKey, Entry]
    problems: tuple[str, ...] = ()


class Introductions:
    """Looks entries up in a repository; remembers what it read last."""

    def __init__(self, git: GitRepository, read_entries: ReadEntries) -> None:
        self._git = git
        self._read_entries = read_entries
        self._read: Callable[[_Files], Approvals] = lru_cache(_KEPT)(self._parsed)

    def at(self, commit: Sha, folders: Sequence[str]) -> Approvals:
        """Return an environment's entries at a commit, in any folder it ever had."""
        files: list[tuple[str, Oid]] = []
        links: list[str] = []
        for folder in folders:
            for name in (APPROVALS, APPROVALS_FOLDER.rstrip("/")):
                tree = self._git.tree(commit, folder)
                if tree is None:
                    break
                for entry in tree.entries:
                    if entry.path != name and not entry.path.startswith(f"{name}/"):
                        continue
                    if not is_decision_path(entry.path):
                        continue
                    path = f"{folder}/{entry.path}" if folder else entry.path
                    if entry.kind in {"file", "executable"}:
                        files.append((path, entry.oid))
                    else:
                        links.append(f"{path}: is a {entry.kind}, not a file")
        if links:
            return Approvals(entries={}, problems=tuple(links))
        return self._read(tuple(files))

    def of(
        self,
        commit: CommitInfo,
        *,
        candidates: Iterable[CommitInfo],
        folders: Sequence[str],
    ) -> list[Introduced]:
        """Return what the candidates introduced that stands in the commit's tree.

        ``candidates`` are the commit itself and the side commits that it brings.
        """
        present = self.at(commit.sha, folders).entries
        found: list[Introduced] = []
        for candidate in candidates:
            here = self.at(candidate.sha, folders)
            if here.problems:
                continue
            new = {k: e for k, e in here.entries.items() if k in present}
            for parent in candidate.parents:
                if not new:
                    break
                before = self._readable(parent, folders)
                new = {k: e for k, e in new.items() if k not in before}
            found += [Introduced(entry=e, commit=candidate) for e in new.values()]
        return found

    def _readable(
        self, commit: Sha, folders: Sequence[str]
    ) -> Mapping[EntryKey, Entry]:
        """Return the entries at a commit, or at its nearest readable ancestor."""
        open_commits = [commit]
        seen: set[Sha] = set()
        entries: dict[EntryKey, Entry] = {}
        while open_commits and len(seen) < _MOST_UNREADABLE:
            current = open_commits.pop(0)
            if current in seen:
                continue
            seen.add(current)
            here = self.at(current, folders)
            if here.problems:
                open_commits.extend(self._git.commit(current).parents)
            else:
                entries.update(here.entries)
        return entries

    def _parsed(self, files: _Files) -> Approvals:
        self._git.ensure_blobs([oid for _, oid in files])
        blobs = self._git.blobs([oid for _, oid in files], max_bytes=MAX_BYTES)
        entries: dict[EntryKey, Entry] = {}
        problems: list[str] = []
        for path, oid in files:
            data = blobs[oid]
            if isinstance(data, OversizedBlob):
                problems.append(
                    f"{path}: has {data.size} bytes, more than {MAX_BYTES}: shorten it"
                )
                continue
            try:
                for entry in self._read_entries(path, data):
                    entries.setdefault(entry.key, entry)
            except DefinitionError as error:
                problems.append(cut(str(error), 1000))
        if problems:
            return Approvals(entries={}, problems=tuple(problems))
        return Approvals(entries=entries)
