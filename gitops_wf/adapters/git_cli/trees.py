"""Tree objects, parsed and walked here: their blobs need not be in a partial clone.

`cat-file <commit>:<path>` and friends look at the object that a path leads to, which a
partial clone does not have; the tree above it says all that is asked.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from gitops_wf.core.commit import PathChange, Tree, TreeEntry
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import Oid
from gitops_wf.ports.git import GitReason

TREE_MODE = 0o040000
VISITS_LIMIT = 200_000
"""Entries looked at in one answer; a tree that names one subtree often can explode."""
DEPTH_LIMIT = 256
_CACHED_TREES = 256  # the upper folders; a lower one is rarely asked for twice

_Entries = Mapping[str, tuple[int, Oid]]


class TreeReader:
    """Looks paths up in trees; `read` gives the bytes of one tree object."""

    def __init__(self, read: Callable[[Oid], bytes]) -> None:
        def entries(oid: Oid) -> _Entries:
            return _parsed(read(oid), digest_size=len(oid) // 2)

        self._entries: Callable[[Oid], _Entries] = lru_cache(_CACHED_TREES)(entries)

    def find(self, root: Oid, path: str) -> tuple[int, Oid] | None:
        """Mode and id of what is at `path` below a tree; the tree itself for ''."""
        mode, oid = TREE_MODE, root
        for name in path.strip("/").split("/") if path.strip("/") else ():
            entry = self._entries(oid).get(name) if mode == TREE_MODE else None
            if entry is None:
                return None
            mode, oid = entry
        return mode, oid

    def tree(self, root: Oid) -> Tree:
        """All entries below a tree, subtrees opened, in Git's order."""
        found = tuple(
            TreeEntry(path=path, mode=mode, oid=oid)
            for path, mode, oid in self._below(root)
        )
        return Tree(oid=root, entries=found)

    def changes(self, old: Oid | None, new: Oid | None) -> tuple[PathChange, ...]:
        """Paths that differ between two trees, by path; None is an empty tree.

        Not `git diff-tree`: that gathers all before it prints the first, so a tree made
        to explode would fill the memory before anything could be capped.
        """
        found: list[PathChange] = []
        budget = _Budget()
        pending = [("", old, new)]
        while pending:
            prefix, before, after = pending.pop()
            budget.spend(prefix)
            olds = self._entries(before) if before else {}
            news = self._entries(after) if after else {}
            for name in {name for name, _ in olds.items() ^ news.items()}:
                path = prefix + name
                budget.spend(path)
                (old_mode, old_oid) = olds.get(name, (0, None))
                (new_mode, new_oid) = news.get(name, (0, None))
                trees = (
                    old_oid if old_mode == TREE_MODE else None,
                    new_oid if new_mode == TREE_MODE else None,
                )
                if trees != (None, None):
                    pending.append((f"{path}/", *trees))
                change = PathChange(
                    path=path,
                    old_mode=0 if trees[0] else old_mode,
                    old_oid=None if trees[0] else old_oid,
                    new_mode=0 if trees[1] else new_mode,
                    new_oid=None if trees[1] else new_oid,
                )
                if change.old_oid or change.new_oid:
                    found.append(change)
        return tuple(sorted(found, key=lambda change: change.path))

    def _below(self, root: Oid) -> Iterator[tuple[str, int, Oid]]:
        """Everything below a tree that is no tree itself."""
        budget = _Budget()
        stack = [("", iter(self._entries(root).items()))]
        while stack:
            prefix, entries = stack[-1]
            for name, (mode, oid) in entries:
                path = prefix + name
                budget.spend(path)
                if mode == TREE_MODE:
                    stack.append((f"{path}/", iter(self._entries(oid).items())))
                    break
                yield path, mode, oid
            else:
                stack.pop()


class _Budget:
    """How many entries one answer may look at, and how deep."""

    def __init__(self) -> None:
        self._left = VISITS_LIMIT

    def spend(self, path: str) -> None:
        self._left -= 1
        if self._left < 0 or path.count("/") > DEPTH_LIMIT:
            message = f"the folder has more than {VISITS_LIMIT} files, or is too deep"
            raise TerminalError(message, reason=GitReason.TOO_LARGE)


def _parsed(data: bytes, *, digest_size: int) -> _Entries:
    return dict(_records(data, digest_size))


def _records(data: bytes, digest_size: int) -> Iterator[tuple[str, tuple[int, Oid]]]:
    r"""`<octal mode> <name>\0<digest>`, again and again: a tree object's format."""
    start = 0
    while start < len(data):
        space = data.index(b" ", start)
        end = data.index(b"\0", space)
        mode = int(data[start:space], 8)
        name = data[space + 1 : end].decode("utf-8", "surrogateescape")
        start = end + 1 + digest_size
        yield name, (mode, Oid(data[end + 1 : start].hex()))
