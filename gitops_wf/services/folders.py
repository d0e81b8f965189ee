"""Which environments a commit touches, adds, moves and removes.

A prefix index from folders and watched paths to environments makes a commit cost
one tree diff, however many environments there are.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gitops_wf.core.commit import CommitInfo, PathChange
from gitops_wf.core.errors import DefinitionError, cut
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    Sha,
    environment_id,
)
from gitops_wf.core.inputs import ENVIRONMENT, is_decision_path
from gitops_wf.ports.definitions import Definitions
from gitops_wf.ports.store import EnvironmentRecord
from gitops_wf.services.watched import CONTROL_FILES, Watched

Records = Mapping[EnvironmentId, EnvironmentRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What a commit means for the environments of its repository.

    ``records`` are those that changed place (added, moved, removed); ``removed`` says
    why; ``inputs`` have changed paths among their inputs, perhaps; ``decisions`` among
    their approvals, and may be removed ones.
    """

    records: tuple[EnvironmentRecord, ...] = ()
    removed: Mapping[EnvironmentId, str] = field(default_factory=dict)
    inputs: frozenset[EnvironmentId] = frozenset()
    decisions: frozenset[EnvironmentId] = frozenset()


@dataclass(slots=True)
class _Index:
    """Environments by each path that they are made of, and that their approvals have.

    Decisions count in every folder that an environment ever had, less those that are
    another one's by now.
    """

    by_path: dict[str, list[EnvironmentId]] = field(default_factory=dict)
    by_folder: dict[str, list[EnvironmentId]] = field(default_factory=dict)
    live: dict[str, EnvironmentId] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[EnvironmentRecord]) -> "_Index":
        records = list(records)
        live = {record.folder: record.id for record in records if not record.is_removed}
        index = cls(live=live)
        for record in records:
            if not record.is_removed:
                for path in {record.folder, *record.paths}:
                    index.by_path.setdefault(path, []).append(record.id)
            for folder in {record.folder, *record.folders}:
                if live.get(folder, record.id) == record.id:
                    index.by_folder.setdefault(folder, []).append(record.id)
        return index

    def inputs(self, path: str) -> Iterator[EnvironmentId]:
        """Yield the environments whose inputs hold a path, perhaps."""
        for prefix in prefixes(path):
            relative = path[len(prefix) :].lstrip("/")
            for environment in self.by_path.get(prefix, ()):
                is_own = environment in self.by_folder.get(prefix, ())
                if not (is_own and is_decision_path(relative)):
                    yield environment

    def decisions(self, path: str) -> Iterator[EnvironmentId]:
        """Yield the environments whose approvals hold a path."""
        for prefix in prefixes(path):
            if is_decision_path(path[len(prefix) :].lstrip("/")):
                yield from self.by_folder.get(prefix, ())


def with_inputs(
    environments: Iterable[EnvironmentRecord],
) -> Callable[[Iterable[PathChange]], set[EnvironmentId]]:
    """Return what says whose inputs hold a changed path, perhaps."""
    index = _Index.of(environments)
    return lambda changes: {e for c in changes for e in index.inputs(c.path)}


def prefixes(path: str) -> Iterator[str]:
    """Yield a path and every folder above it, the root (``""``) last."""
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


class Folders:
    """Finds the environments of a repository."""

    def __init__(self, watched: Watched, definitions: Definitions) -> None:
        self._watched = watched
        self._definitions = definitions
        self._index: _Index | None = None
        self._indexed: Records | None = None
        self._unplaced: dict[str, str] = {}

    @property
    def problems(self) -> str:
        """Why folders are no environments, as one line; empty where all are well."""
        return cut("; ".join(self._unplaced[f] for f in sorted(self._unplaced)), 1000)

    def touched(
        self, commit: CommitInfo, changes: Sequence[PathChange], records: Records
    ) -> Touched:
        """Say what a commit's changes, against its first parent, touch."""
        paths = [change.path for change in changes]
        moved, removed = self._placed(commit, paths, records)
        if moved:
            moving = {record.id: record for record in moved}
            index = _Index.of({**records, **moving}.values())
        else:
            index = self._known(records)
        inputs: set[EnvironmentId] = {r.id for r in moved if not r.is_removed}
        decisions: set[EnvironmentId] = set(inputs)
        for path in paths:
            inputs.update(index.inputs(path))
            decisions.update(index.decisions(path))
        return Touched(
            records=tuple(moved),
            removed=removed,
            inputs=frozenset(inputs),
            decisions=frozenset(decisions),
        )

    def with_decisions(
        self, changes: Sequence[PathChange], records: Records
    ) -> frozenset[EnvironmentId]:
        """Return the environments whose approvals a side commit's changes touch."""
        index = self._known(records)
        return frozenset(
            environment
            for change in changes
            for environment in index.decisions(change.path)
        )

    def all(self, commit: CommitInfo, records: Records) -> Touched:
        """Place every environment of a commit: for a first start or a new glob."""
        tree = self._watched.git.tree(commit.sha)
        paths = [entry.path for entry in tree.entries] if tree else []
        known = [f"{r.folder}/{ENVIRONMENT}" for r in records.values()]
        moved, removed = self._placed(commit, [*paths, *known], records)
        return Touched(records=tuple(moved), removed=removed)

    def left_out(self, records: Records, *, there: Sha | None = None) -> Touched:
        """Say which environments no pattern of the daemon config is for any more.

        ``there``: only of folders that this commit has; what moved may be for another.
        """
        globs = self._watched.config.environments
        left = [
            replace(record, is_removed=True, inputs="")
            for record in records.values()
            if not record.is_removed
            and not self._definitions.is_environment_folder(record.folder, globs)
            and (there is None or self._watched.git.tree_oid(there, record.folder))
        ]
        why = "no pattern of the daemon config is for the folder {} any more"
        removed = {r.id: why.format(cut(r.folder) or "of the root") for r in left}
        return Touched(records=tuple(left), removed=removed)

    def _known(self, records: Records) -> _Index:
        if self._index is None or self._indexed is not records:
            self._index = _Index.of(records.values())
            self._indexed = records
        return self._index

    def _placed(
        self, commit: CommitInfo, paths: Sequence[str], records: Records
    ) -> tuple[list[EnvironmentRecord], dict[EnvironmentId, str]]:
        """Return records that are new, moved or gone, and why those are gone."""
        candidates = self._candidates(paths, self._known(records).live)
        if not candidates:
            return [], {}
        # What stood in its way may be gone by now.
        candidates.update(self._unplaced)
        self._unplaced.clear()
        live = {r.folder: r for r in records.values() if not r.is_removed}
        found = {
            folder: self._name_at(
                commit, folder, live[folder].name if folder in live else None
            )
            for folder in sorted(candidates)
        }
        gone = {live[f].name: live[f] for f, n in found.items() if not n and f in live}
        gone |= {
            live[f].name: live[f]
            for f, n in found.items()
            if n and f in live and live[f].name != n
        }
        taken = {r.name: r.folder for r in live.values() if r.name not in gone}
        changed: dict[EnvironmentId, EnvironmentRecord] = {}
        for folder, name in found.items():
            if not name or (folder in live and live[folder].name == name):
                continue
            if name in taken:
                self._unplaced[folder] = (
                    f"{folder}: an environment named {name} stands in {taken[name]}"
                    " already; give one of them another `name:`"
                )
                continue
            taken[name] = folder
            record = self._record(name, folder, records)
            changed[record.id] = record
        removed = {}
        for record in gone.values():
            if record.id not in changed:
                # Without inputs: should the folder come back, it is to run again.
                changed[record.id] = replace(record, is_removed=True, inputs="")
                name = found[record.folder]
                now = f"of environment {name} by now" if name else "gone"
                removed[record.id] = f"the folder {cut(record.folder)} is {now}"
        return list(changed.values()), removed

    def _candidates(self, paths: Sequence[str], live: Container[str]) -> set[str]:
        """Return the folders that may have become, or ceased to be, environments."""
        globs = self._watched.config.environments

        def may(folder: str) -> bool:
            is_one = self._definitions.is_environment_folder
            return folder in live or is_one(folder, globs)

        candidates: set[str] = set()
        seen: set[str] = set()
        for path in paths:
            folder, _, name = path.rpartition("/")
            if self._watched.config.implicit:
                new = [p for p in prefixes(folder) if p not in seen]
                seen.update(new)
                candidates.update(p for p in new if may(p))
            elif name in CONTROL_FILES and folder not in seen:
                seen.add(folder)
                if may(folder):
                    candidates.add(folder)
        return candidates

    def _name_at(
        self, commit: CommitInfo, folder: str, known: EnvironmentName | None
    ) -> EnvironmentName | None:
        """Return the name of a folder's environment at a commit, None if it is none."""
        tree = self._watched.git.tree(commit.sha, folder)
        if tree is None:
            return None
        top = {entry.path: entry for entry in tree.entries if "/" not in entry.path}
        is_one = any(name in top for name in CONTROL_FILES)
        if not is_one and not (self._watched.config.implicit and tree.entries):
            return None
        globs = self._watched.config.environments
        if ENVIRONMENT not in top:
            return self._definitions.name(folder, globs, None)
        path = f"{folder}/{ENVIRONMENT}"
        try:
            data = self._watched.content(top[ENVIRONMENT], path)
            return self._definitions.name(folder, globs, data)
        except DefinitionError:
            # Told when the environment is read; it keeps its name meanwhile.
            return known or self._definitions.name(folder, globs, None)

    def _record(
        self, name: EnvironmentName, folder: str, records: Records
    ) -> EnvironmentRecord:
        known = records.get(environment_id(self._watched.name, name))
        if known is None:
            return EnvironmentRecord(
                id=environment_id(self._watched.name, name),
                repository=self._watched.name,
                name=name,
                folder=folder,
                folders=(folder,),
                paths=(folder,),
            )
        folders = (folder, *(f for f in known.folders if f != folder))
        paths = (folder, *(p for p in known.paths if p != known.folder))
        return replace(
            known, folder=folder, folders=folders, paths=paths, is_removed=False
        )
