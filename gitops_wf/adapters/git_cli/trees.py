"""Tree objects, parsed and walked here: their blobs need not be in a partial clone.

`cat-file <commit>:<path>` and friends look at the object that a path leads to, which a
partial clone does not have; the tree above it says all that is asked.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from gitops_wf.core.commit import Tree, TreeEntry
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import Oid
from gitops_wf.ports.git import GitReason

TREE_MODE = 0o040000
VISITS_LIMIT = 200_000
"""Entries seen below one folder; a tree that names one subtree often can explode."""
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
        found: list[TreeEntry] = []
        visits = 0
        stack = [("", iter(self._entries(root).items()))]
        while stack:
            prefix, entries = stack[-1]
            name, (mode, oid) = next(entries, ("", (0, root)))
            if not name:
                stack.pop()
                continue
            visits += 1
            if visits > VISITS_LIMIT or len(stack) > DEPTH_LIMIT:
                message = (
                    f"the folder has more than {VISITS_LIMIT} files, or is too deep"
                )
                raise TerminalError(message, reason=GitReason.TOO_LARGE)
            if mode == TREE_MODE:
                stack.append((f"{prefix}{name}/", iter(self._entries(oid).items())))
            else:
                found.append(TreeEntry(path=prefix + name, mode=mode, oid=oid))
        return Tree(oid=root, entries=tuple(found))


def _parsed(data: bytes, *, digest_size: int) -> _Entries:
    return dict(_entries(data, digest_size))


def _entries(data: bytes, digest_size: int) -> Iterator[tuple[str, tuple[int, Oid]]]:
    r"""`<octal mode> <name>\0<digest>` again and again: gitformat of a tree object."""
    start = 0
    while start < len(data):
        space = data.index(b" ", start)
        end = data.index(b"\0", space)
        mode = int(data[start:space], 8)
        name = data[space + 1 : end].decode("utf-8", "surrogateescape")
        start = end + 1 + digest_size
        yield name, (mode, Oid(data[end + 1 : start].hex()))
