"""What a commit says of an environment: its inputs, its definition, its revision."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from gitops_wf.core.commit import CommitInfo, PathChange, Tree, TreeEntry
from gitops_wf.core.environment import Environment, Wait
from gitops_wf.core.errors import cut
from gitops_wf.core.identifiers import EnvironmentId, EnvironmentName, Oid, Sha
from gitops_wf.core.inputs import decides_somewhere, inputs_digest
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.revision import Revision, rollback_of
from gitops_wf.ports.definitions import Definition, Definitions, FolderSource
from gitops_wf.ports.store import EnvironmentRecord
from gitops_wf.services.commit_files import CommitFiles
from gitops_wf.services.folders import prefixes
from gitops_wf.services.neighbours import Neighbours
from gitops_wf.services.watched import Watched

_MOST_PATHS = 100
"""How many changed paths a revision remembers."""

_MOST_PROBLEMS = 20
"""How many problems of a definition its message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An environment at a commit: its inputs' digest and what its files say.

    ``oids`` are the blobs of its folder. ``known`` is the definition that counts:
    the last readable one, where the files cannot be read.
    """

    inputs: str
    paths: tuple[str, ...]
    definition: Definition
    known: Environment | None
    oids: tuple[Oid, ...]


class Earlier(Protocol):
    """What knows an environment's earlier revisions."""

    def revision_for(self, environment: EnvironmentId, inputs: str) -> Revision | None:
        """Return the one that says what going back to an inputs digest comes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A definition, and all that it was read from."""

    around: tuple[object, ...]
    oids: Mapping[str, Oid | None]
    definition: Definition


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRevision:
    """Reads the environments of one repository; stores nothing."""

    watched: Watched
    definitions: Definitions
    _last: dict[EnvironmentId, _Read] = field(default_factory=dict)

    def neighbours(
        self,
        commit: Sha,
        records: Mapping[EnvironmentId, EnvironmentRecord],
        *,
        touched: Collection[EnvironmentId] | None = None,
    ) -> Neighbours:
        """Return the environments at a commit; without ``touched``, any may be."""

        def read(record: EnvironmentRecord) -> tuple[Wait, ...]:
            files = self._files(record, commit)
            return self.definitions.waits(self._source(record, files))

        return Neighbours(
            repository=self.watched.name, records=records, touched=touched, read=read
        )

    def snapshot(
        self,
        record: EnvironmentRecord,
        commit: Sha,
        environments: frozenset[EnvironmentName],
    ) -> Snapshot:
        """Read an environment at a commit, given all names in its repository."""
        files = self._files(record, commit)
        definition = self._definition(record, files, environments)
        known: Environment | None = definition.environment or record.definition
        return Snapshot(
            inputs=self._inputs(record.folder, files.entries, commit, known),
            paths=(record.folder, *(known.watch if known else ())),
            definition=definition,
            known=known,
            oids=tuple(entry.oid for entry in files.entries),
        )

    def digest(self, record: EnvironmentRecord, commit: Sha, shot: Snapshot) -> str:
        """Return the inputs at a commit as the definition of a snapshot sees them.

        Reads no file. It equals the snapshot's where the inputs are the same: the
        definition is one of them.
        """
        tree = self.watched.git.tree(commit, record.folder)
        entries = tree.entries if tree else ()
        return self._inputs(record.folder, entries, commit, shot.known)

    def _inputs(
        self,
        folder: str,
        entries: Sequence[TreeEntry],
        commit: Sha,
        known: Environment | None,
    ) -> str:
        watch = known.watch if known else ()
        around = [path for path in watch if path in prefixes(folder)]
        beside = [path for path in watch if path not in around]
        oids = self.watched.git.tree_oids([(commit, path) for path in beside])
        return inputs_digest(
            entries,
            ignore=known.ignore if known else ("*.md",),
            watched=(
                *zip(beside, oids, strict=True),
                *((path, self._around(commit, path, folder)) for path in around),
            ),
            targets=known.targets if known else self.watched.config.targets,
            given=known.substitute.given if known and known.substitute else {},
        )

    def _around(self, commit: Sha, path: str, folder: str) -> Oid | None:
        """Return what tells a watched path that holds the folder from another.

        Without the folder, which counts by itself, and without what others decide: else
        each decision would be new content, and no approval would ever meet the revision
        that it is for.
        """
        tree = self.watched.git.tree(commit, path)
        if tree is None:
            return None
        own = "" if folder == path else f"{folder.removeprefix(path).lstrip('/')}/"
        lines = [
            f"{entry.mode:o} {entry.oid} {entry.path}\0"
            for entry in tree.entries
            if not entry.path.startswith(own) and not decides_somewhere(entry.path)
        ]
        text = "".join(lines).encode("utf-8", "surrogateescape")
        return Oid(hashlib.sha256(text).hexdigest())

    def _definition(
        self,
        record: EnvironmentRecord,
        files: CommitFiles,
        environments: frozenset[EnvironmentName],
    ) -> Definition:
        """Read the files, or recall what the same files have said last."""
        place = (record.name, record.folder)
        around = (*place, files.paths, files.modes, environments)
        last = self._last.get(record.id)
        if last is not None and last.around == around and files.has(last.oids):
            return last.definition
        definition = self.definitions.read(
            replace(self._source(record, files), environments=environments)
        )
        self._last[record.id] = _Read(
            around=around, oids=files.read_so_far, definition=definition
        )
        return definition

    def _files(self, record: EnvironmentRecord, commit: Sha) -> CommitFiles:
        tree = self.watched.git.tree(commit, record.folder)
        entries = tree.entries if tree else ()
        return CommitFiles(self.watched, commit, record.folder, entries)

    def _source(self, record: EnvironmentRecord, files: CommitFiles) -> FolderSource:
        return FolderSource(
            repository=self.watched.name,
            folder=record.folder,
            name=record.name,
            paths=files.paths,
            read=files.read,
            targets=self.watched.config.targets,
        )

    def fetch(self, shot: Snapshot, commit: Sha) -> None:
        """Fetch the blobs that a revision needs, in one request."""
        self.watched.prefetch(self.blobs(shot, commit))

    def blobs(self, shot: Snapshot, commit: Sha) -> list[Oid]:
        """Return the blobs that a revision needs."""
        wanted = list(shot.oids)
        for path in shot.paths[1:]:
            tree: Tree | None = self.watched.git.tree(commit, path)
            if tree is not None:
                wanted += [entry.oid for entry in tree.entries]
        return wanted

    def revision(
        self,
        earlier: Earlier,
        record: EnvironmentRecord,
        commit: CommitInfo,
        shot: Snapshot,
        *,
        number: int,
        position: int,
        changes: Sequence[PathChange],
        around: Neighbours | None,
        now: datetime,
    ) -> Revision:
        """Return the revision of a snapshot, after fetching what it needs.

        Those ``around`` may wait for it; None for what has been released.
        """
        self.fetch(shot, commit.sha)
        definition = shot.definition
        same = earlier.revision_for(record.id, shot.inputs)
        is_barred = shot.inputs in record.barred
        revision = Revision(
            environment=record.id,
            number=number,
            commit=commit.sha,
            branch=self.watched.config.branch,
            position=position,
            inputs=shot.inputs,
            rollback_of=(rollback_of([same]) if same and not is_barred else None),
            reverts=commit.claims_to_revert,
            author=cut(str(commit.author)),
            author_email=commit.author.email,
            subject=cut(commit.subject),
            source=cut(commit.source_commit or ""),
            changed=_changed(changes, shot.paths),
            created=now,
            environment_definition=definition.environment,
            workflow=definition.workflow,
        )
        problems = definition.problems
        if around is not None and not revision.is_rollback:
            problems = (*problems, *around.circle(revision.environment_definition))
        if problems or definition.workflow is None:
            revision = replace(
                revision,
                phase=Phase.FAILED,
                reason=Reason.INVALID_DEFINITION,
                message="\n".join(
                    str(problem) for problem in problems[:_MOST_PROBLEMS]
                ),
                ended=now,
                workflow=None,
            )
        return revision


def _changed(changes: Sequence[PathChange], paths: Sequence[str]) -> tuple[str, ...]:
    """Return the changed paths among an environment's, from the repository's root."""
    found = [
        change.path
        for change in changes
        if any(
            not path or change.path == path or change.path.startswith(f"{path}/")
            for path in paths
        )
    ]
    return tuple(found[:_MOST_PATHS])
