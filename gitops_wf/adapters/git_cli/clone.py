"""Our bare clone on disk: everything that is answered without asking the remote."""

import contextlib
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from gitops_wf.adapters.git_cli.environment import local_environment
from gitops_wf.adapters.git_cli.failures import is_damage
from gitops_wf.adapters.git_cli.history import (
    LOG_FORMAT,
    descending_chain,
    history,
    parsed_log,
)
from gitops_wf.adapters.git_cli.objects import (
    DamagedCloneError,
    ObjectInfo,
    ObjectReader,
    OversizedObjectError,
)
from gitops_wf.adapters.git_cli.pathspecs import pathspecs
from gitops_wf.adapters.git_cli.process import Finished, run
from gitops_wf.adapters.git_cli.recovery import refs_below
from gitops_wf.adapters.git_cli.trees import TREE_MODE, TreeReader
from gitops_wf.core.commit import CommitInfo, PathChange, Tree
from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.ports.git import (
    BlobContent,
    GitReason,
    History,
    OversizedBlob,
    Walk,
)

OUR_REFS = "refs/gitops-wf/"
HEAD_REF = OUR_REFS + "head"
HELD_REFS = OUR_REFS + "held/"
OBJECT_LIMIT = 16 * 1024 * 1024
"""Bytes of one commit or tree: some 400,000 files in one folder."""
_FULL_ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_PREFIX = re.compile(r"[0-9a-f]{4,64}\Z")
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)")
"""What git-check-ref-format(1) refuses, without a process per name."""


class Clone:
    """The reading half of the Git port, and the refs that hold commits."""

    def __init__(self, git_dir: Path, subject: str) -> None:
        self._git_dir = git_dir
        self._subject = subject
        self._environment = local_environment(git_dir)
        self._objects = ObjectReader(git_dir)
        self._trees = TreeReader(self._read_tree)
        self._refs_lock = threading.Lock()
        self._is_distrusted = False

    def close(self) -> None:
        """Ends child processes; the clone stays."""
        self._objects.close()

    @property
    def is_damaged(self) -> bool:
        """Whether the clone is gone, or was found damaged: the next fetch mends it."""
        return self._is_distrusted or not (self._git_dir / "HEAD").exists()

    def distrust(self) -> None:
        """Takes the clone for damaged: something that it held is not there."""
        self._is_distrusted = True

    # --- commits ---

    def head(self) -> Sha | None:
        """The branch's head at our last fetch that found one."""
        # from the file: this is asked often, and a process costs a hundred times more
        return refs_below(self._git_dir, HEAD_REF).get(HEAD_REF)

    def walk(self, since: Sha | None, head: Sha) -> Walk:
        """First-parent commits of `head` that descend from `since`, oldest first."""
        self._require(head)
        if since is None:
            options = ("--first-parent", "--reverse", "--end-of-options")
            lines = self._git("rev-list", *options, head).stdout.decode().split()
            return Walk(commits=self.commits([Sha(sha) for sha in lines]))
        if not self.has_commit(since):
            return Walk(commits=(), is_rewritten=True)
        args = ("log", "-z", "--topo-order", LOG_FORMAT, "--end-of-options")
        found = parsed_log(self._git(*args, head, f"^{since}").stdout)
        by_sha = {commit.sha: commit for commit in found}
        parents = {sha: commit.parents for sha, commit in by_sha.items()}
        chain = descending_chain(parents, since, head)
        if chain is None:
            base = self.merge_base(since, head)
            return Walk(commits=(), is_rewritten=True, merge_base=base)
        return Walk(commits=tuple(by_sha[sha] for sha in chain))

    def history(self, head: Sha, *, touching: Sequence[str] = ()) -> History:
        """The whole way to `head`; `touching` are globs as Git's `:(glob)` has them."""
        self._require(head)
        all_ = ("--topo-order", "--reverse", "--end-of-options", head, "--")
        lines = self._git("rev-list", "--parents", *all_).stdout.decode().splitlines()
        parents = {
            Sha(ids[0]): tuple(map(Sha, ids[1:])) for ids in map(str.split, lines)
        }
        touched: list[Sha] = []
        if touching:
            globs = [f":(glob){pattern}" for pattern in touching]
            # Else paths are literal here: see `local_environment`.
            done = self._git(
                "--no-literal-pathspecs", "rev-list", "--full-history", *all_, *globs
            )
            touched = [Sha(sha) for sha in done.stdout.decode().split()]
        return history(parents, head, touched)

    def first_parents(self, head: Sha, paths: Sequence[str]) -> tuple[Sha, ...]:
        """First-parent commits of `head`, newest first, that changed one of them."""
        self._require(head)
        args = ("--first-parent", "--end-of-options", head, "--")
        lines = self._git("rev-list", *args, *pathspecs(paths)).stdout.decode().split()
        return tuple(Sha(sha) for sha in lines)

    def commit(self, sha: Sha) -> CommitInfo:
        """One commit."""
        return self.commits([sha])[0]

    def commits(self, shas: Sequence[Sha]) -> tuple[CommitInfo, ...]:
        """Many commits at the price of one, in the order asked for."""
        if not shas:
            return ()
        self._require(*shas)
        args = ("log", "-z", "--no-walk=unsorted", "--stdin", LOG_FORMAT)
        done = self._git(*args, stdin="".join(f"{sha}\n" for sha in shas).encode())
        by_sha = {commit.sha: commit for commit in parsed_log(done.stdout)}
        return tuple(by_sha[sha] for sha in shas)  # git names a repeated one once

    def commits_between(
        self, base: Sha | None, head: Sha, *, paths: Sequence[str] = ()
    ) -> tuple[CommitInfo, ...]:
        """All commits of `head` that `base` lacks, parents before children."""
        self._require(head, *([base] if base else []))
        args = ["log", "-z", "--topo-order", "--reverse", "--full-history", LOG_FORMAT]
        args += ["--end-of-options", head, *([f"^{base}"] if base else [])]
        return parsed_log(self._git(*args, "--", *pathspecs(paths)).stdout)

    def is_ancestor(self, ancestor: Sha, descendant: Sha) -> bool:
        """Whether `ancestor` is `descendant` or reachable from it."""
        self._require(ancestor, descendant)
        args = ("merge-base", "--is-ancestor", "--end-of-options", ancestor, descendant)
        return self._git(*args, expect=(0, 1)).code == 0

    def merge_base(self, one: Sha, other: Sha) -> Sha | None:
        """A best common ancestor; None for unrelated histories."""
        self._require(one, other)
        args = ("merge-base", "--end-of-options", one, other)
        done = self._git(*args, expect=(0, 1))
        return Sha(done.stdout.decode().strip()) if done.code == 0 else None

    def resolve(self, prefix: str) -> tuple[Sha, ...]:
        """Commits here whose id starts with `prefix` (at least 4 hex digits)."""
        if not _PREFIX.match(prefix):
            return ()
        done = self._git("rev-parse", f"--disambiguate={prefix}")
        candidates = [Oid(line) for line in done.stdout.decode("ascii").split()]
        with self._reading():
            infos = self._objects.infos(candidates)
        return tuple(Sha(info.oid) for info in infos if info and info.kind == "commit")

    def has_commit(self, sha: Sha) -> bool:
        """Whether the commit is here."""
        if not _FULL_ID.match(sha):
            return False
        with self._reading():
            (info,) = self._objects.infos([Oid(sha)])
        return info is not None and info.kind == "commit"

    # --- trees ---

    def tree(self, sha: Sha, folder: str = "") -> Tree | None:
        """Everything below a folder of a commit; None if that is no folder there."""
        with self._reading():
            found = self._trees.find(self._roots([sha])[sha], folder)
            if found is None or found[0] != TREE_MODE:
                return None
            return self._trees.tree(found[1])

    def tree_oid(self, sha: Sha, path: str) -> Oid | None:
        """Id of the file, link or folder at `path`; None if there is none."""
        return self.tree_oids([(sha, path)])[0]

    def tree_oids(self, wanted: Sequence[tuple[Sha, str]]) -> tuple[Oid | None, ...]:
        """`tree_oid` of many (commit, path) pairs at the price of one."""
        with self._reading():
            roots = self._roots(sha for sha, _ in wanted)
            found = (self._trees.find(roots[sha], path) for sha, path in wanted)
            return tuple(entry and entry[1] for entry in found)

    def changes(self, old: Sha | None, new: Sha) -> tuple[PathChange, ...]:
        """Paths that differ between two commits, or all of `new`'s; renames are off."""
        return self.changes_of([(old, new)])[0]

    def changes_of(
        self, pairs: Sequence[tuple[Sha | None, Sha]]
    ) -> tuple[tuple[PathChange, ...], ...]:
        """`changes` of many pairs at the price of one."""
        with self._reading():
            roots = self._roots(sha for pair in pairs for sha in pair if sha)
            return tuple(
                self._trees.changes(roots[old] if old else None, roots[new])
                for old, new in pairs
            )

    # --- blobs ---

    def blob(self, oid: Oid, *, max_bytes: int) -> BlobContent:
        """Content of one blob, unless it is larger than `max_bytes`."""
        return self.blobs([oid], max_bytes=max_bytes)[oid]

    def blobs(
        self, oids: Iterable[Oid], *, max_bytes: int
    ) -> Mapping[Oid, BlobContent]:
        """Contents of many blobs in one round trip; `max_bytes` is per blob."""
        wanted = list(dict.fromkeys(oids))
        found: dict[Oid, BlobContent] = {}
        with self._reading():
            for oid, info in zip(wanted, self._objects.infos(wanted), strict=True):
                if info is None or info.kind != "blob":
                    raise KeyError(f"blob {oid} is not in the clone of {self._subject}")
                if info.size > max_bytes:
                    found[oid] = OversizedBlob(oid=oid, size=info.size)
            small = [oid for oid in wanted if oid not in found]
            read = self._objects.objects(small, max_bytes=max_bytes)
            return found | {info.oid: data for info, data in filter(None, read)}

    def missing(self, oids: Iterable[Oid]) -> tuple[Oid, ...]:
        """Those of `oids` that are not here; what `ensure_blobs` would fetch."""
        wanted = list(dict.fromkeys(oids))
        with self._reading():
            infos = self._objects.infos(wanted)
        return tuple(o for o, info in zip(wanted, infos, strict=True) if info is None)

    # --- refs that hold commits ---

    def hold(self, refs: Mapping[str, Sha]) -> None:
        """Protects commits from gc and force-pushes under names of the caller."""
        if refs:
            self._require(*refs.values())
            self._update_refs(
                f"update {self._ref(n)}\0{s}\0\0" for n, s in refs.items()
            )

    def release(self, names: Iterable[str]) -> None:
        """Drops names given to `hold`; unknown ones are no error."""
        gone = set(names) & set(self.held())
        if gone:
            self._update_refs(f"delete {self._ref(name)}\0\0" for name in sorted(gone))

    def held(self) -> Mapping[str, Sha]:
        """All names given to `hold` and not released."""
        args = ("for-each-ref", "--format=%(objectname) %(refname)", HELD_REFS)
        lines = self._git(*args).stdout.decode("utf-8").splitlines()
        pairs = (line.split(" ", 1) for line in lines)
        return {name.removeprefix(HELD_REFS): Sha(sha) for sha, name in pairs}

    def _ref(self, name: str) -> str:
        """The ref of a held name; a name that git would refuse is the caller's bug."""
        ref = HELD_REFS + name
        if not self._is_ref(ref):
            raise ValueError(f"{cut(repr(name))} is no valid name for a ref")
        return ref

    @staticmethod
    def _is_ref(ref: str) -> bool:
        return not (_NO_REF.search(ref) or ref.endswith(("/", ".", ".lock")))

    def _update_refs(self, commands: Iterable[str]) -> None:
        text = "".join(commands).encode()
        with self._refs_lock:
            self._git("update-ref", "--stdin", "-z", stdin=text)

    # --- how git is asked ---

    def _git(
        self, *args: str, stdin: bytes = b"", expect: Sequence[int] = (0,)
    ) -> Finished:
        """One local command; any other exit than `expect` is an error of the clone."""
        done = run(self._git_dir, args, self._environment, stdin=stdin)
        if done.code in expect:
            return done
        if is_damage(done.stderr) or not (self._git_dir / "HEAD").exists():
            self._damaged()
        message = f"{self._subject}: git {args[0]} failed: {cut(done.stderr)}"
        raise TransientError(message)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except DamagedCloneError:
            self._damaged()

    def _damaged(self) -> NoReturn:
        self._is_distrusted = True
        message = "our clone is damaged; the next fetch clones it anew"
        raise TransientError(f"{self._subject}: {message}")

    def _require(self, *shas: Sha) -> None:
        """A `KeyError` for the first of `shas` that is no commit here."""
        if bad := [sha for sha in shas if not _FULL_ID.match(sha)]:
            raise KeyError(f"{cut(bad[0])} is no full commit id")
        with self._reading():
            infos = self._objects.infos([Oid(sha) for sha in shas])
        for sha, info in zip(shas, infos, strict=True):
            if info is None or info.kind != "commit":
                raise self._unknown(sha)

    def _roots(self, shas: Iterable[Sha]) -> Mapping[Sha, Oid]:
        """The trees of commits, from the first line of each commit object."""
        wanted = list(dict.fromkeys(shas))
        if any(not _FULL_ID.match(sha) for sha in wanted):
            self._require(*wanted)
        roots = {}
        read = self._read([Oid(sha) for sha in wanted])
        for sha, (info, content) in zip(wanted, read, strict=True):
            if info.kind != "commit":
                raise self._unknown(sha)
            roots[sha] = Oid(content[5 : 5 + len(sha)].decode("ascii"))
        return roots

    def _parents(self, sha: Sha) -> frozenset[Sha]:
        with self._reading():
            ((_, content),) = self._read([Oid(sha)])
        lines = content.partition(b"\n\n")[0].decode("ascii", "replace").split("\n")
        return frozenset(Sha(ln[7:]) for ln in lines if ln.startswith("parent "))

    def _read_tree(self, oid: Oid) -> bytes:
        try:
            ((info, content),) = self._read([oid])
        except KeyError as exc:  # a commit is here, its tree is not
            raise DamagedCloneError from exc
        if info.kind != "tree":
            raise DamagedCloneError
        return content

    def _read(self, oids: Sequence[Oid]) -> list[tuple[ObjectInfo, bytes]]:
        """Commits or trees with their content; a `KeyError` for one not here."""
        try:
            found = self._objects.objects(oids, max_bytes=OBJECT_LIMIT)
        except OversizedObjectError as exc:
            message = (
                f"{self._subject}: object {exc} has more than {OBJECT_LIMIT} bytes"
            )
            raise TerminalError(message, reason=GitReason.TOO_LARGE) from exc
        for oid, entry in zip(oids, found, strict=True):
            if entry is None:
                raise self._unknown(oid)
        return [entry for entry in found if entry is not None]

    def _unknown(self, sha: str) -> KeyError:
        return KeyError(f"commit {sha} is not in the clone of {self._subject}")
