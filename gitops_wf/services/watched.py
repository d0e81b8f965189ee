"""A watched repository: its config, its clone, and who checks its signatures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gitops_wf.core.commit import CommitInfo, EntryKind, TreeEntry
from gitops_wf.core.config import RepositoryConfig
from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.identifiers import Oid, RepositoryName, Sha
from gitops_wf.core.inputs import ENVIRONMENT, WORKFLOW
from gitops_wf.core.policy import Identity
from gitops_wf.ports.git import GitRepository, OversizedBlob
from gitops_wf.ports.git_writer import DaemonWriter
from gitops_wf.ports.verifier import SignatureVerifier, Verified

MAX_FILE_BYTES = 10 * 1024 * 1024
"""The size above which a file of an environment is an error and is not read."""

CONTROL_FILES = (ENVIRONMENT, WORKFLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One repository as the services use it.

    ``open_writer`` gives what commits there at a time; None where it is only read.
    """

    config: RepositoryConfig
    git: GitRepository
    verifier: SignatureVerifier | None = None
    open_writer: Callable[[datetime], DaemonWriter] | None = None

    @property
    def name(self) -> RepositoryName:
        """The repository's name."""
        return self.config.name

    def person(self, commit: CommitInfo) -> tuple[str, Identity]:
        """Return whose hand a commit is, and how sure that is.

        It is its author's. A signature proves that only where the signer is the
        author: who rebases another's commit signs it, too, and decided nothing.
        """
        author = commit.author.email
        if self.verifier is not None:
            verdict = self.verifier.verify([commit.sha])[commit.sha]
            if isinstance(verdict, Verified):
                names = verdict.principal.casefold().split(",")
                if author.casefold() in names:
                    return author, Identity.SIGNATURE
        return author, Identity.AUTHOR

    def read(self, commit: Sha, path: str) -> bytes | None:
        """Return a file at a commit, or None.

        Errors: DefinitionError where it is a link or larger than the cap.
        """
        folder, _, name = path.rpartition("/")
        tree = self.git.tree(commit, folder)
        if tree is None:
            return None
        for entry in tree.entries:
            if entry.path == name:
                return self.content(entry, path)
        return None

    def content(self, entry: TreeEntry, path: str) -> bytes:
        """Return the bytes of a tree's entry; errors as `read`."""
        if entry.kind not in {EntryKind.FILE, EntryKind.EXECUTABLE}:
            raise DefinitionError(
                path, None, f"is a {entry.kind}; only regular files are read"
            )
        self.git.ensure_blobs([entry.oid])
        data = self.git.blob(entry.oid, max_bytes=MAX_FILE_BYTES)
        if isinstance(data, OversizedBlob):
            raise DefinitionError(
                path,
                None,
                f"has {data.size} bytes, more than the {MAX_FILE_BYTES} that are"
                " read; split it",
            )
        return data

    def prefetch(self, oids: Sequence[Oid]) -> None:
        """Fetch what is missing of these blobs, in one request."""
        self.git.ensure_blobs(oids)
