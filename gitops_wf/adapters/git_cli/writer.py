"""Commits and pushes of a person, with their own git configuration and credentials.

Commits are built beside the work tree, on the remote branch's head, and the person's
branch is then fast-forwarded to them: so nothing of theirs can get in, or get lost.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from gitops_wf.adapters.git_cli.committing import Committing, push_result
from gitops_wf.adapters.git_cli.failures import remote_failure
from gitops_wf.adapters.git_cli.process import Finished, run
from gitops_wf.adapters.git_cli.remote_url import parse_url, redacted
from gitops_wf.core.commit import Person
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.ports.git_writer import (
    BranchWriter,
    Pushed,
    PushResult,
    WriterReason,
)

_TIMEOUT = timedelta(minutes=10)  # a person may have to type a password


class GitCliWriter(Committing, BranchWriter):
    """Writes to `branch`; made by `in_work_tree` or `in_passing_clone`."""

    def __init__(self, directory: Path, remote: str, branch: str) -> None:
        self._directory = directory
        self._remote = remote
        self._branch = branch
        self._work_tree: Path | None = directory
        self._base: Sha | None = None

    @classmethod
    def in_work_tree(cls, path: Path, branch: str, remote: str = "origin") -> Self:
        """Writes in the work tree around `path`, whose checked out branch follows."""
        writer = cls(path, remote, branch)
        done = writer._git("rev-parse", "--show-toplevel", expect=(0, 128))
        if done.code:
            message = f"{path} is in no work tree of git"
            raise TerminalError(message, reason=WriterReason.NO_WORK_TREE)
        top = Path(os.fsdecode(done.stdout.removesuffix(b"\n")))
        writer._directory = writer._work_tree = top
        writer._head = writer._base = writer._resolved(f"refs/heads/{branch}")
        return writer

    @classmethod
    def in_passing_clone(cls, url: str, branch: str) -> Self:
        """Writes in a clone of `url` that is gone when the writer is closed."""
        parse_url(url, allow_http=True)
        directory = Path(tempfile.mkdtemp(prefix="gitops-wf-"))
        writer = cls(directory, "origin", branch)
        writer._work_tree = None
        writer._git("init", "--quiet", "--bare")
        for key, value in (
            ("url", url),
            ("promisor", "true"),
            ("partialclonefilter", "blob:none"),
        ):
            writer._git("config", f"remote.origin.{key}", value)
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._work_tree is None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def identity(self) -> Person:
        """Who commits; a `TerminalError` tells how to set it if Git knows nobody."""
        args = ("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
        done = self._git(*args, expect=(0, 128))
        if done.code:
            message = "git does not know who you are; run `git config --global "
            message += "user.name NAME` and `git config --global user.email ADDRESS`"
            raise TerminalError(message, reason=WriterReason.NO_IDENTITY)
        name, _, rest = done.stdout.decode("utf-8", "replace").partition(" <")
        return Person(name=name, email=rest.partition(">")[0])

    def refresh(self) -> Sha | None:
        """Fetches the remote branch and starts from it; its head, None if empty."""
        self._take_back()
        tracking = f"refs/remotes/{self._remote}/{self._branch}"
        refspec = f"+refs/heads/{self._branch}:{tracking}"
        args = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
        done = self._git(
            *args, "--end-of-options", self._remote, refspec, expect=range(256)
        )
        if "couldn't find remote ref" in done.stderr:
            self._base = self._head = None
            return None
        if done.code:
            raise remote_failure(f"remote {self._remote_name()}", done.stderr)
        head = self._resolved(tracking)
        assert head is not None
        if self._work_tree is not None:
            self._follow(head)
        self._base = self._head = head
        return head

    def read(self, path: str) -> bytes | None:
        """The file at `head`; None if there is none."""
        if self._head is None:
            return None
        done = self._git("cat-file", "blob", f"{self._head}:{path}", expect=(0, 128))
        return done.stdout if done.code == 0 else None

    def show(self, sha: Sha) -> str:
        """The commit as `git show` prints it, for the person to look at."""
        done = self._git("show", "--no-color", "--end-of-options", sha)
        return done.stdout.decode("utf-8", "replace")

    def push(self) -> PushResult:
        """Pushes `head` to the branch, never by force."""
        assert self._head is not None
        refspec = f"{self._head}:refs/heads/{self._branch}"
        args = ("push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no")
        done = self._git(
            *args, "--end-of-options", self._remote, refspec, expect=range(256)
        )
        result = push_result(self._head, done)
        if result is None:
            raise remote_failure(f"remote {self._remote_name()}", done.stderr)
        if isinstance(result, Pushed):
            self._base = self._head
        return result

    # --- the person's branch ---

    def _follow(self, head: Sha) -> None:
        """Fast-forwards the person's branch to `head`, or says what is in the way."""
        done = self._git("symbolic-ref", "--short", "-q", "HEAD", expect=(0, 1))
        current = done.stdout.decode("utf-8", "replace").strip()
        if current != self._branch:
            message = f"{self._work_tree} is on {current or 'no branch'}, not on "
            message += f"{self._branch}; run `git switch {self._branch}` there"
            raise TerminalError(message, reason=WriterReason.WORK_TREE_IN_THE_WAY)
        done = self._git("merge", "--ff-only", "--quiet", head, expect=range(256))
        if done.code or self._resolved("HEAD") != head:
            message = f"{self._branch} cannot be fast-forwarded to {head[:12]} in "
            message += f"{self._work_tree}: {_in_the_way(done)}"
            raise TerminalError(message, reason=WriterReason.WORK_TREE_IN_THE_WAY)

    def _take_back(self) -> None:
        """Undoes commits of ours that were not pushed."""
        if self._work_tree is None or self._head in {None, self._base}:
            return
        if self._resolved("HEAD") == self._head and self._base is not None:
            self._git("reset", "--quiet", "--keep", self._base)

    # --- building commits ---

    def _record(self, tree: Oid, message: str) -> Sha:
        """A commit of `tree` on `head`, to which the person's branch then follows."""
        self.identity()
        args = ["commit-tree", tree]
        args += ["-p", self._head] if self._head else []
        done = self._git("config", "--type=bool", "commit.gpgSign", expect=(0, 1))
        args += ["-S"] if done.stdout.strip() == b"true" else []
        text = message.rstrip("\n") + "\n"
        sha = Sha(self._git(*args, stdin=text.encode()).stdout.decode().strip())
        if self._work_tree is not None:
            self._follow(sha)
        self._head = sha
        return sha

    # --- how git is asked ---

    def _remote_name(self) -> str:
        done = self._git("remote", "get-url", self._remote, expect=range(256))
        return redacted(done.stdout.decode("utf-8", "replace").strip()) or self._remote

    def _git(
        self,
        *args: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        expect: Sequence[int] = (0,),
    ) -> Finished:
        done = run(
            self._directory,
            args,
            {"GIT_EDITOR": "true"} | dict(env or {}),
            stdin=stdin,
            timeout=_TIMEOUT,
            personal=True,
        )
        if done.code not in expect:
            command = next(arg for arg in args if not arg.startswith("-"))
            message = f"git {command} failed in {self._directory}: {cut(done.stderr)}"
            raise TerminalError(message, reason=WriterReason.GIT_FAILED)
        return done


def _in_the_way(done: Finished) -> str:
    if "local changes" in done.stderr or "untracked working tree" in done.stderr:
        return "changes that are not committed are in the way; commit or stash them"
    return "it has commits that are not on the remote; push them, or move them away"
