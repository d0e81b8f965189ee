"""The files of a revision, from the clone's object store only."""

from collections.abc import Collection, Mapping, Sequence

from gitops_wf.core.commit import EntryKind
from gitops_wf.core.errors import DefinitionError, TerminalError, TransientError, cut
from gitops_wf.core.identifiers import (
    EnvironmentId,
    Oid,
    RepositoryName,
    Sha,
    repository_name,
)
from gitops_wf.core.phases import Reason
from gitops_wf.ports.content import File
from gitops_wf.ports.git import BlobContent, GitRepository, OversizedBlob
from gitops_wf.services.watched import MAX_FILE_BYTES, Watched

MAX_FOLDER_FILES = 10_000
"""How many files an environment's folder may hold."""

MAX_FOLDER_BYTES = 32 * 1024 * 1024
"""How much they may hold in all: as values they take some ten times as much memory.

A file counts under each of its names, for it is rendered under each.
"""

_AT_ONCE = 8
"""Files that are read before their bytes are counted."""


class RepositoryContent:
    """The Content role, over the watched repositories."""

    def __init__(self, repositories: Mapping[RepositoryName, Watched]) -> None:
        self._repositories = repositories

    def folder(
        self, environment: EnvironmentId, commit: Sha, folder: str
    ) -> Sequence[File]:
        """Return all regular files below a folder, sorted by path.

        Errors: TerminalError where a file is a link, too large, or there are too
        many, or too much in all; nothing is delivered from half a folder.
        """
        git = self._watched(environment).git
        try:
            tree = git.tree(commit, folder)
        except KeyError as error:
            raise _lost(git, commit) from error
        if tree is None:
            return ()
        if len(tree.entries) > MAX_FOLDER_FILES:
            raise _refused(
                f"{cut(folder)}: has {len(tree.entries)} files, more than"
                f" {MAX_FOLDER_FILES}"
            )
        for entry in tree.entries:
            if entry.kind not in {EntryKind.FILE, EntryKind.EXECUTABLE}:
                raise _refused(
                    f"{cut(f'{folder}/{entry.path}')}: is a {entry.kind}; put the file"
                    " itself there"
                )
        files: list[File] = []
        known: dict[Oid, bytes] = {}
        size = 0
        entries = sorted(tree.entries, key=lambda e: e.path)
        for start in range(0, len(entries), _AT_ONCE):
            some = entries[start : start + _AT_ONCE]
            wanted = {e.oid for e in some} - known.keys()
            blobs = _blobs(git, wanted)
            for entry in some:
                data = known.get(entry.oid) or blobs.get(entry.oid, b"")
                path = f"{folder}/{entry.path}" if folder else entry.path
                if isinstance(data, OversizedBlob):
                    raise _refused(
                        f"{cut(path)}: has {data.size} bytes, more than the"
                        f" {MAX_FILE_BYTES} that are read; split it"
                    )
                known[entry.oid] = data
                size += len(data)
                if size > MAX_FOLDER_BYTES:
                    raise _refused(
                        f"{cut(folder)}: its files have more than {MAX_FOLDER_BYTES}"
                        f" bytes in all, at {cut(entry.path)}; split the environment,"
                        " or move out what is not to be delivered"
                    )
                files.append(File(path=path, data=data))
        return files

    def file(self, environment: EnvironmentId, commit: Sha, path: str) -> File | None:
        """Return one file, or None where there is none."""
        watched = self._watched(environment)
        try:
            data = watched.read(commit, path)
        except DefinitionError as error:
            raise _refused(str(error)) from error
        except KeyError as error:
            raise _lost(watched.git, commit) from error
        return None if data is None else File(path=path, data=data)

    def _watched(self, environment: EnvironmentId) -> Watched:
        name = repository_name(environment)
        watched = self._repositories.get(name)
        if watched is None:
            raise TerminalError(
                f"repository {name} is no longer in the daemon config",
                reason="RepositoryNotConfigured",
            )
        return watched


def _refused(message: str) -> TerminalError:
    return TerminalError(message, reason=Reason.INVALID_DEFINITION)


def _blobs(git: GitRepository, oids: Collection[Oid]) -> Mapping[Oid, BlobContent]:
    try:
        return git.blobs(oids, max_bytes=MAX_FILE_BYTES)
    except KeyError:
        # The clone was made anew since the revision was found.
        git.ensure_blobs(oids)
        return git.blobs(oids, max_bytes=MAX_FILE_BYTES)


def _lost(git: GitRepository, commit: Sha) -> TransientError:
    """Return the error for a commit that the clone held, and has no more."""
    git.distrust()
    return TransientError(
        f"our clone has lost commit {commit[:8]}; the next poll clones it anew"
    )
