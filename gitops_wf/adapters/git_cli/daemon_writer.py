"""Commits and pushes of the daemon: from its clone, with the repository's credential.

They are made with the clone's own objects, so that nothing has to be cloned again; the
fetched head stands in a ref of its own, so that the next poll finds what it would have
found without.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from gitops_wf.adapters.git_cli.committing import Committing, push_result
from gitops_wf.adapters.git_cli.environment import local_environment
from gitops_wf.adapters.git_cli.process import Finished, run
from gitops_wf.adapters.git_cli.repository import GitCliRepository
from gitops_wf.core.commit import EntryKind, Person
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.ports.git import OversizedBlob
from gitops_wf.ports.git_writer import (
    DaemonWriter,
    Pushed,
    PushResult,
    WriterReason,
)

_MAX_FILE_BYTES = 10 * 1024 * 1024
_MOST_FOUND = 500
_MAX_MESSAGE_BYTES = 1024 * 1024
_PUSH = ("push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no")
_UNFIT = re.compile(r"[<>\n\0]")


class PushingRepository(GitCliRepository):
    """A clone from which is pushed, too."""

    def writer(
        self, person: Person, at: datetime, *, pushed: Callable[[], None]
    ) -> "CloneWriter":
        """Return a writer on the watched branch; its commits are dated `at`.

        ``pushed`` is called when the branch has got them.
        """
        return CloneWriter(self, person, at, pushed)

    def fetch_beside(self) -> Sha | None:
        """Fetch the branch without moving our head; None: there is no such branch."""
        ref = f"refs/gitops-wf/push/{self.remote.branch}"
        with self._network_lock:
            args = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")
            refspec = f"+{self._branch_ref}:{ref}"
            done = self._ask(
                [*args, "--end-of-options", "origin", refspec], self._fetch_timeout
            )
            if "couldn't find remote ref" in done.stderr:
                return None
            self._check(done)
        found = self._git("rev-parse", "--verify", ref).stdout.decode().strip()
        return Sha(found)

    def listed(self, branch: str) -> Sha | None:
        """Return the head of a branch by `ls-remote`."""
        ref = f"refs/heads/{branch}"
        return self._listed(ref).get(ref)

    def fetch_commit(self, sha: Sha) -> None:
        """Fetch a commit of the remote, unless it is here."""
        if self.has_commit(sha):
            return
        with self._network_lock:
            self._check(self._fetch_objects([sha]))

    def push(self, sha: Sha, branch: str) -> PushResult:
        """Push a commit to a branch, never by force."""
        with self._network_lock:
            args = [*_PUSH, "--end-of-options", "origin", f"{sha}:refs/heads/{branch}"]
            done = self._ask(args, self._fetch_timeout)
            result = push_result(sha, done)
            if result is None:
                self._check(done)
                raise TerminalError(
                    f"{self._subject}: git push failed: {cut(done.stderr)}",
                    reason=WriterReason.GIT_FAILED,
                )
            return result

    def made(
        self,
        args: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str],
        expect: Sequence[int] = (0,),
    ) -> Finished:
        """Run what reads the clone, or makes objects in it."""
        environment = {**local_environment(self._git_dir), **env}
        done = run(self._git_dir, args, environment, stdin=stdin)
        if done.code not in expect:
            command = next(arg for arg in args if not arg.startswith("-"))
            raise TerminalError(
                f"{self._subject}: git {command} failed: {cut(done.stderr)}",
                reason=WriterReason.GIT_FAILED,
            )
        return done


class CloneWriter(Committing, DaemonWriter):
    """Writes to the watched branch of a clone; see the port."""

    def __init__(
        self,
        repository: PushingRepository,
        person: Person,
        at: datetime,
        pushed: Callable[[], None],
    ) -> None:
        self._repository = repository
        self._branch = repository.remote.branch
        self._person = person
        self._at = at
        self._pushed = pushed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave nothing: what was not pushed is of no ref, and gc takes it."""

    @property
    def url(self) -> str:
        """Where the repository is; it holds no credentials."""
        return self._repository.remote.url

    @property
    def branch(self) -> str:
        """The watched branch."""
        return self._branch

    def identity(self) -> Person:
        """The daemon, as its config names it."""
        return self._person

    def refresh(self) -> Sha | None:
        """Fetches the branch and starts from it; its head, None if there is none."""
        self._head = self._repository.fetch_beside()
        return self._head

    def read(self, path: str) -> bytes | None:
        """The file at `head`; None if there is none, or it is a link."""
        if self._head is None:
            return None
        folder, _, name = path.rpartition("/")
        tree = self._repository.tree(self._head, folder)
        entries = tree.entries if tree else ()
        entry = next((each for each in entries if each.path == name), None)
        if entry is None or entry.kind not in {EntryKind.FILE, EntryKind.EXECUTABLE}:
            return None
        self._repository.ensure_blobs([entry.oid])
        data = self._repository.blob(entry.oid, max_bytes=_MAX_FILE_BYTES)
        if isinstance(data, OversizedBlob):
            text = f"{cut(path)} has {data.size} bytes, more than {_MAX_FILE_BYTES}"
            raise TerminalError(text, reason=WriterReason.GIT_FAILED)
        return data

    def find(self, line: str, *, since: datetime) -> Sha | None:
        """The newest commit of `head` since then with this line in its message."""
        if self._head is None:
            return None
        args = ("rev-list", "--fixed-strings", f"--grep={line}")
        # As a filter: else one commit of a clock that is behind would end the search.
        date = f"--since-as-filter={since.astimezone(UTC).isoformat()}"
        done = self._git(*args, date, "--end-of-options", self._head)
        # git looks for the text anywhere: `envs/prod` stands in `envs/prod-us`, too.
        found = [Sha(sha) for sha in done.stdout.decode().split()]
        messages = ((sha, self.message(sha)) for sha in found[:_MOST_FOUND])
        return next((s for s, text in messages if line in text.splitlines()), None)

    def branch_head(self, branch: str) -> Sha | None:
        """The head of another branch; None where there is none. Asks the remote."""
        return self._repository.listed(branch)

    def message(self, sha: Sha) -> str:
        """The message of a commit of the remote, fetched if it is not here."""
        self._repository.fetch_commit(sha)
        found = self._repository.commit(sha)
        return f"{found.subject}\n\n{found.body}"[:_MAX_MESSAGE_BYTES]

    def show(self, sha: Sha) -> str:
        """The commit with the names of its files; their content may not be here."""
        args = ("show", "--no-color", "--no-renames", "--name-status")
        done = self._git(*args, "--end-of-options", sha)
        return done.stdout.decode("utf-8", "replace")

    def push(self) -> PushResult:
        """Pushes `head` to the branch, never by force."""
        assert self._head is not None
        result = self._repository.push(self._head, self._branch)
        if isinstance(result, Pushed):
            self._pushed()
        return result

    def push_to(self, branch: str) -> PushResult:
        """Pushes `head` to a branch of the daemon's own, which must be new."""
        assert self._head is not None
        return self._repository.push(self._head, branch)

    def _record(self, tree: Oid, message: str) -> Sha:
        parents = ("-p", self._head) if self._head else ()
        text = message.rstrip("\n") + "\n"
        date = f"{int(self._at.timestamp())} +0000"
        name, email = (
            _UNFIT.sub("", each) for each in dataclasses.astuple(self._person)
        )
        person = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", name), ("EMAIL", email), ("DATE", date))
        }
        done = self._git("commit-tree", tree, *parents, stdin=text.encode(), env=person)
        self._head = Sha(done.stdout.decode().strip())
        return self._head

    def _git(
        self,
        *args: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        expect: Sequence[int] = (0,),
    ) -> Finished:
        return self._repository.made(args, stdin=stdin, env=env or {}, expect=expect)
