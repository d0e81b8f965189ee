"""The watched side of Git: one branch of one remote, kept as a bare clone of ours.

Every method is safe to call from any thread. Those marked "asks the remote" raise
`TransientError` when it cannot be reached, is slow or answers 5xx, and `TerminalError`
with a `GitReason` when only a person can help. All others read the clone and fetch
nothing; an unknown object there is a `KeyError` naming it.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from gitops_wf.core.commit import (
    CommitInfo,
    EntryKind,
    PathChange,
    Person,
    Tree,
    TreeEntry,
    entry_kind,
)
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.core.secret import Secret

__all__ = [
    "BasicAuth",
    "BearerAuth",
    "BlobContent",
    "CommitInfo",
    "Credential",
    "EntryKind",
    "FetchResult",
    "GitAuth",
    "GitReason",
    "GitRepository",
    "History",
    "OversizedBlob",
    "PathChange",
    "Person",
    "Remote",
    "RemoteHead",
    "SshAuth",
    "Tree",
    "TreeEntry",
    "Walk",
    "entry_kind",
]


class GitReason(StrEnum):
    """Reasons of the `TerminalError`s of this port: what a person has to mend."""

    AUTHENTICATION_FAILED = "AuthenticationFailed"
    HOST_KEY_MISMATCH = "HostKeyMismatch"
    CERTIFICATE_INVALID = "CertificateInvalid"
    REPOSITORY_NOT_FOUND = "RepositoryNotFound"
    REDIRECTED = "Redirected"
    URL_REFUSED = "UrlRefused"
    UNTRUSTED_DIRECTORY = "UntrustedDirectory"
    CORRUPT_REMOTE = "CorruptRemote"
    TOO_LARGE = "TooLarge"
    GIT_UNUSABLE = "GitUnusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """HTTP user and password (or access token as the password)."""

    username: str
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerAuth:
    """HTTP bearer token."""

    token: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAuth:
    """Private key (OpenSSH or PEM, without passphrase) and `known_hosts` lines."""

    private_key: Secret
    known_hosts: str


GitAuth: TypeAlias = BasicAuth | BearerAuth | SshAuth


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Secrets bound to where they may go.

    `prefix` is a URL; the credential is sent only to remotes of the same scheme, host
    and port whose path is that of `prefix` or below it (RFC 3986 path segments).
    """

    auth: GitAuth
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where to fetch: a URL and one branch, written without `refs/heads/`.

    URLs are file, https, ssh (also as `user@host:path`), an absolute local path, and
    http on loopback or with `allow_http`. `ca_file` holds the certificates (PEM) that
    vouch for an https server.
    """

    url: str
    branch: str
    credential: Credential | None = None
    allow_http: bool = False
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteHead:
    """The branch as the remote has it now; no `sha`: no such branch.

    `is_empty` tells a repository without any branch from one without this branch.
    """

    sha: Sha | None
    is_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchResult:
    """What a fetch found.

    `new` is None when the branch is gone or not there yet; our clone keeps the old head
    then, so that a re-created branch is compared with it. `is_renewed`: our clone was
    damaged or gone, and was cloned anew.
    """

    old: Sha | None
    new: Sha | None
    is_renewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """First-parent commits after a cursor, oldest first.

    `is_rewritten`: the cursor is no ancestor of the head (force-push), `commits` is
    empty, and `merge_base` is what both still share.
    """

    commits: tuple[CommitInfo, ...]
    is_rewritten: bool = False
    merge_base: Sha | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How a branch came to its head: ids alone, so that it may be long.

    `chain` are the first-parent commits, oldest first. `brought` names those of the
    chain that brought commits which touch certain paths, in the chain's order, each
    with these: merged side commits and itself, parents before children.
    """

    chain: tuple[Sha, ...]
    brought: Mapping[Sha, tuple[Sha, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OversizedBlob:
    """Stands for the content of a blob above the cap: never read into memory."""

    oid: Oid
    size: int


BlobContent: TypeAlias = bytes | OversizedBlob


class GitRepository(AbstractContextManager["GitRepository"], Protocol):
    """One bare, where possible partial, clone of one remote branch."""

    @property
    def remote(self) -> Remote:
        """Where it fetches from."""

    # --- asks the remote ---

    def remote_head(self) -> RemoteHead:
        """The branch's head by `ls-remote` of exactly that ref; fetches nothing."""

    def fetch(self) -> FetchResult:
        """Brings commits and trees of the branch here; blobs too if it cannot filter.

        A damaged clone is moved aside and cloned anew, keeping held commits that the
        remote or the old clone still has.
        """

    def ensure_blobs(self, oids: Iterable[Oid]) -> int:
        """Fetches the blobs that are not here, in one request; how many those were."""

    def maintain(self) -> bool:
        """Packs the clone where that is worth it; whether it was. May take minutes.

        Nothing else waits for it: fetches and reads go on meanwhile.
        """

    def interrupt(self) -> None:
        """Ends a maintenance that goes on, and lets none begin any more."""

    # --- reads the clone ---

    @property
    def is_damaged(self) -> bool:
        """Whether the clone is gone, or was found damaged: the next fetch mends it."""

    def distrust(self) -> None:
        """Takes the clone for damaged: something that it held is not there."""

    def head(self) -> Sha | None:
        """The branch's head at our last fetch that found one."""

    def walk(self, since: Sha | None, head: Sha) -> Walk:
        """First-parent commits of `head` that descend from `since`, oldest first.

        Commits that came with "pull, then push a merge" but lack `since` are not in it
        (`git log --first-parent --ancestry-path`). None: from the root.
        """

    def history(self, head: Sha, *, touching: Sequence[str] = ()) -> History:
        """The whole way to `head`; `touching` are globs as Git's `:(glob)` has them."""

    def first_parents(self, head: Sha, paths: Sequence[str]) -> tuple[Sha, ...]:
        """First-parent commits of `head`, newest first, that changed one of the paths.

        Against their first parent; paths are literal files or folders, `""` is all.
        Of paths that are too long for a command, all are given.
        """

    def commit(self, sha: Sha) -> CommitInfo:
        """One commit."""

    def commits(self, shas: Sequence[Sha]) -> tuple[CommitInfo, ...]:
        """Many commits at the price of one, in the order asked for."""

    def commits_between(
        self, base: Sha | None, head: Sha, *, paths: Sequence[str] = ()
    ) -> tuple[CommitInfo, ...]:
        """All commits of `head` that `base` lacks, merged side commits included.

        Parents come before children. With `paths` (literal files or folders, `""` is
        all): those that differ there from a parent: every one that could introduce
        something. Of paths that are too long for a command, all are given.
        """

    def is_ancestor(self, ancestor: Sha, descendant: Sha) -> bool:
        """Whether `ancestor` is `descendant` or reachable from it."""

    def merge_base(self, one: Sha, other: Sha) -> Sha | None:
        """A best common ancestor; None for unrelated histories."""

    def resolve(self, prefix: str) -> tuple[Sha, ...]:
        """Commits here whose id starts with `prefix` (at least 4 hex digits).

        None, one, or several: the caller says which is an error.
        """

    def has_commit(self, sha: Sha) -> bool:
        """Whether the commit is here."""

    def tree(self, sha: Sha, folder: str = "") -> Tree | None:
        """Everything below a folder of a commit; None if that is no folder there."""

    def tree_oid(self, sha: Sha, path: str) -> Oid | None:
        """Id of the file, link or folder at `path`; None if there is none."""

    def tree_oids(self, wanted: Sequence[tuple[Sha, str]]) -> tuple[Oid | None, ...]:
        """`tree_oid` of many (commit, path) pairs at the price of one."""

    def changes(self, old: Sha | None, new: Sha) -> tuple[PathChange, ...]:
        """Paths that differ between two commits, or all of `new`'s; renames are off."""

    def changes_of(
        self, pairs: Sequence[tuple[Sha | None, Sha]]
    ) -> tuple[tuple[PathChange, ...], ...]:
        """`changes` of many pairs at the price of one."""

    def blob(self, oid: Oid, *, max_bytes: int) -> BlobContent:
        """Content of one blob, unless it is larger than `max_bytes`."""

    def blobs(
        self, oids: Iterable[Oid], *, max_bytes: int
    ) -> Mapping[Oid, BlobContent]:
        """Contents of many blobs in one round trip; `max_bytes` is per blob."""

    def missing(self, oids: Iterable[Oid]) -> tuple[Oid, ...]:
        """Those of `oids` that are not here; what `ensure_blobs` would fetch."""

    # --- keeps commits ---

    def hold(self, refs: Mapping[str, Sha]) -> None:
        """Protects commits from gc and force-pushes under names of the caller.

        Names are ref paths below ours, such as `revisions/shop/prod/12`; an existing
        name moves. All or none.
        """

    def release(self, names: Iterable[str]) -> None:
        """Drops names given to `hold`; unknown ones are no error."""

    def held(self) -> Mapping[str, Sha]:
        """All names given to `hold` and not released."""

    def stop_asking(self) -> None:
        """End what asks the remote now and refuse to ask again; from any thread.

        Whoever waits for an answer gets a TransientError. Reading goes on.
        """

    def close(self) -> None:
        """Ends child processes; the clone stays, and a later question starts others.

        To be called between polls where many repositories are watched.
        """
