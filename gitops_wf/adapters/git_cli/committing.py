"""Commits built beside any work tree, on a head, from trees and blobs alone."""

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from gitops_wf.adapters.git_cli.pathspecs import is_below, pathspecs
from gitops_wf.adapters.git_cli.process import Finished
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.ports.git_writer import (
    Pushed,
    PushRejected,
    PushResult,
    WriterReason,
)

_FILE_MODE = "100644"
_STALE = (  # how git-push(1) and git-receive-pack(1) say that somebody was first
    "fetch first",
    "non-fast-forward",
    "stale info",
    "cannot lock ref",
    "failed to update ref",
    "incorrect old value",
)


class Committing(ABC):
    """What writers have in common; how git is run, and who commits, is theirs."""

    _branch: str
    _head: Sha | None = None

    def head(self) -> Sha | None:
        """The commit that the next one is built on."""
        return self._head

    def list_files(self, folder: str) -> tuple[str, ...]:
        """Paths of the files below a folder at `head`; of all for an empty one."""
        if self._head is None:
            return ()
        args = ("ls-tree", "-r", "-z", "--name-only", "--full-tree", self._head)
        below = (f"{folder.rstrip('/')}/",) if folder else ()
        done = self._git("--literal-pathspecs", *args, "--", *below)
        return tuple(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)

    def changed_since(self, source: Sha, paths: Sequence[str]) -> tuple[str, ...]:
        """Paths of files below `paths` that differ between `source` and `head`."""
        assert self._head is not None
        if self._resolved(f"{source}^{{commit}}") is None:
            text = f"commit {source} is not on {self._branch}"
            raise TerminalError(text, reason=WriterReason.NOT_ON_BRANCH)
        args = ("--literal-pathspecs", "diff-tree", "-r", "-z", "--name-only")
        commits = ("--no-renames", source, self._head)
        done = self._git(*args, *commits, "--", *pathspecs(paths))
        names = (os.fsdecode(name) for name in done.stdout.split(b"\0") if name)
        return tuple(name for name in names if is_below(name, paths))

    def commit(self, files: Mapping[str, bytes | None], message: str) -> Sha:
        """Commits exactly these files (None deletes); one that is there keeps its mode.

        A link that is in the way of a file is replaced by it.
        """
        modes = self._modes(files)
        lines = []
        for path, content in files.items():
            if content is None:
                lines.append(self._gone(path))
            else:
                done = self._git("hash-object", "-w", "--stdin", stdin=content)
                mode = modes.get(path, _FILE_MODE)
                lines.append(f"{mode} {done.stdout.decode().strip()}\t{path}\0")
        return self._record(self._tree_with(lines), message)

    def restore(self, paths: Sequence[str], source: Sha, message: str) -> Sha | None:
        """Commits `paths` as they were at `source`; None when nothing differs."""
        assert self._head is not None
        args = ("--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree")
        now = self._git(*args, "--name-only", self._head, "--", *paths).stdout
        then = self._git(*args, source, "--", *paths).stdout
        gone = [self._gone(os.fsdecode(p)) for p in now.split(b"\0") if p]
        back = [f"{os.fsdecode(entry)}\0" for entry in then.split(b"\0") if entry]
        tree = self._tree_with([*gone, *back])
        if str(tree) == self._resolved(f"{self._head}^{{tree}}"):
            return None
        return self._record(tree, message)

    def _modes(self, files: Mapping[str, bytes | None]) -> dict[str, str]:
        """The modes of those files that are regular files already."""
        if self._head is None:
            return {}
        args = ("--literal-pathspecs", "ls-tree", "-z", "--full-tree", self._head)
        done = self._git(*args, "--", *files)
        entries = (os.fsdecode(e) for e in done.stdout.split(b"\0") if e)
        pairs = (entry.split("\t", 1) for entry in entries)
        return {p: m.split(" ", 1)[0] for m, p in pairs if m.startswith("100")}

    def _gone(self, path: str) -> str:
        nothing = "0" * len(self._head or "0" * 40)
        return f"0 {nothing}\t{path}\0"

    def _tree_with(self, lines: Sequence[str]) -> Oid:
        """The tree of `head` with index lines put over it."""
        with tempfile.TemporaryDirectory(prefix="gitops-wf-index-") as directory:
            index = {"GIT_INDEX_FILE": f"{directory}/index"}
            if self._head is not None:
                self._git("read-tree", self._head, env=index)
            stdin = os.fsencode("".join(lines))
            self._git("update-index", "-z", "--index-info", stdin=stdin, env=index)
            done = self._git("write-tree", "--missing-ok", env=index)
        return Oid(done.stdout.decode().strip())

    def _resolved(self, rev: str) -> Sha | None:
        done = self._git("rev-parse", "--verify", "--quiet", rev, expect=(0, 1))
        return Sha(done.stdout.decode().strip()) if done.code == 0 else None

    @abstractmethod
    def _record(self, tree: Oid, message: str) -> Sha:
        """A commit of `tree` on `head`, which is `head` then."""

    @abstractmethod
    def _git(
        self,
        *args: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        expect: Sequence[int] = (0,),
    ) -> Finished:
        """One command of git; any other exit than `expect` is an error."""


def push_result(sha: Sha, done: Finished) -> PushResult | None:
    """What `git push --porcelain` of one ref came to; None: it did not come so far."""
    if done.code == 0:
        return Pushed(sha=sha)
    said = done.stdout.decode("utf-8", "replace").splitlines()
    refused = [line.split("\t")[-1] for line in said if line.startswith("!")]
    if not refused:
        return None
    is_stale = any(words in refused[0] for words in _STALE)
    return PushRejected(message=cut(refused[0]), is_stale=is_stale)
