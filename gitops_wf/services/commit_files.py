"""The files of a commit as a definition reads them, and which those were."""

from collections.abc import Mapping, Sequence

from gitops_wf.core.commit import TreeEntry
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.services.watched import Watched


class CommitFiles:
    """Reads files of one commit; the tree of one folder is known already."""

    def __init__(
        self, watched: Watched, commit: Sha, folder: str, entries: Sequence[TreeEntry]
    ) -> None:
        self._watched = watched
        self._commit = commit
        self._prefix = f"{folder}/" if folder else ""
        self.entries = entries
        self._entries = {entry.path: entry for entry in entries}
        self._read: dict[str, Oid | None] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of the folder, relative to it."""
        return tuple(self._entries)

    @property
    def modes(self) -> tuple[int, ...]:
        """What those files are: regular, executable, links."""
        return tuple(entry.mode for entry in self._entries.values())

    @property
    def read_so_far(self) -> Mapping[str, Oid | None]:
        """What was asked for, with its object id; None where there is nothing."""
        return dict(self._read)

    def read(self, path: str) -> bytes | None:
        """Return a file, or None; DefinitionError where it is no readable file."""
        entry = self._entry(path)
        if entry is not None:
            self._read[path] = entry.oid
            return self._watched.content(entry, path)
        self._read[path] = self._oid(path)
        return self._watched.read(self._commit, path)

    def has(self, oids: Mapping[str, Oid | None]) -> bool:
        """Whether each of these paths is the same object here."""
        return all(self._oid(path) == oid for path, oid in oids.items())

    def _entry(self, path: str) -> TreeEntry | None:
        if not path.startswith(self._prefix):
            return None
        return self._entries.get(path.removeprefix(self._prefix))

    def _oid(self, path: str) -> Oid | None:
        entry = self._entry(path)
        if entry is not None:
            return entry.oid
        return self._watched.git.tree_oid(self._commit, path)
