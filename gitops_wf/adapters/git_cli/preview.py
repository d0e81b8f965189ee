"""A person's repository as it would be: a branch merged, a work tree committed.

The commits are made in a passing clone that borrows the person's objects, so nothing
of theirs is touched; what reads a watched repository reads this one as any other.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from gitops_wf.adapters.git_cli.environment import local_environment
from gitops_wf.adapters.git_cli.process import Finished, run
from gitops_wf.adapters.git_cli.repository import GitCliRepository
from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.ports.git import Remote

_PERSON = {
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "gitops-wf plan"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "plan@localhost"),
}
_UNTOUCHED = ("--no-optional-locks",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflicted:
    """A merge that a person has to make: the paths that both sides changed."""

    paths: tuple[str, ...]


class Preview(GitCliRepository):
    """The repository around a work tree; what it makes is gone when it is closed."""

    def __init__(self, work_tree: Path, branch: str) -> None:
        self._work_tree = work_tree
        self._folder = Path(tempfile.mkdtemp(prefix="gitops-wf-plan-"))
        try:
            super().__init__(
                self._folder / "clone.git", Remote(url=str(work_tree), branch=branch)
            )
            self._borrow()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def resolved(self, name: str) -> Sha | None:
        """Return the commit that a name (branch, tag, id, `HEAD~1`) means there."""
        done = self._personal(
            *("rev-parse", "--verify", "--quiet", "--end-of-options"),
            f"{name}^{{commit}}",
            expect=(0, 1, 128),
        )
        return Sha(done.stdout.decode().strip()) if done.code == 0 else None

    def is_shallow(self) -> bool:
        """Whether the person's clone lacks history."""
        done = self._personal("rev-parse", "--is-shallow-repository")
        return done.stdout.strip() == b"true"

    def work_tree_commit(self, head: Sha) -> Sha:
        """Return a commit of all that `git add -A` would add, or `head` if nothing.

        By an index of its own: what the person has staged stays as it is.
        """
        done = self._personal("rev-parse", "--git-path", "index")
        theirs = self._work_tree / os.fsdecode(done.stdout.strip())
        index = self._folder / "index"
        if theirs.exists():
            # Its times save reading every file again; its own says which of them to
            # distrust (git's racy-git.txt).
            shutil.copy2(theirs, index)
        objects = os.fsdecode(self._borrowed_from())
        place = {
            "GIT_INDEX_FILE": str(index),
            "GIT_OBJECT_DIRECTORY": str(self.git_dir / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        }
        self._personal("add", "--all", env=place)
        tree = Oid(self._personal("write-tree", env=place).stdout.decode().strip())
        if tree == self._tree_of(head):
            return head
        return self._committed(tree, [head], "changes that are not committed")

    def merged(self, base: Sha, head: Sha) -> Sha | Conflicted:
        """Return what a merge of `head` into `base` makes; a fast-forward is `head`.

        Errors: TerminalError where the two have no history in common.
        """
        if self.is_ancestor(base, head):
            return head
        if self.is_ancestor(head, base):
            return base
        args = ("merge-tree", "--write-tree", "--name-only", "-z", "--no-messages")
        done = self._made(*args, base, head, expect=range(256))
        if done.code > 1:
            what = "the clone is shallow; fetch its history (git fetch --unshallow)"
            why = what if self.is_shallow() else cut(done.stderr)
            raise TerminalError(
                f"{head[:8]} cannot be merged into {base[:8]}: {why}",
                reason="NoMerge",
            )
        tree, *paths = [os.fsdecode(each) for each in done.stdout.split(b"\0") if each]
        if done.code:
            return Conflicted(paths=tuple(dict.fromkeys(paths)))
        return self._committed(Oid(tree), [base, head], f"Merge {head[:8]}")

    def ensure_blobs(self, oids: Iterable[Oid]) -> int:
        """Let the person's own git fetch what their partial clone has left out."""
        wanted = self.missing(oids)
        if not wanted:
            return 0
        stdin = "".join(f"{oid}\n" for oid in wanted).encode()
        self._personal("cat-file", "--batch-check", stdin=stdin)
        if lost := self.missing(wanted):
            raise TransientError(
                f"{self._work_tree}: {len(lost)} files are not in the clone, such as "
                f"{lost[0]}, and its remote does not give them"
            )
        return len(wanted)

    def _initialise(self, object_format: str = "") -> None:
        """Make the passing clone; its ids are as long as the person's."""
        done = self._personal("rev-parse", "--show-object-format")
        super()._initialise(object_format or done.stdout.decode().strip())

    def _borrow(self) -> None:
        """Read the person's objects, and know where their history is cut off."""
        info = self.git_dir / "objects" / "info"
        info.mkdir(exist_ok=True)
        (info / "alternates").write_bytes(self._borrowed_from() + b"\n")
        done = self._personal("rev-parse", "--git-path", "shallow")
        shallow = self._work_tree / os.fsdecode(done.stdout.strip())
        if shallow.exists():
            shutil.copyfile(shallow, self.git_dir / "shallow")

    def _borrowed_from(self) -> bytes:
        done = self._personal("rev-parse", "--git-path", "objects")
        place = self._work_tree / os.fsdecode(done.stdout.strip())
        return os.fsencode(place.resolve())

    def _tree_of(self, sha: Sha) -> Oid:
        return self._roots([sha])[sha]

    def _committed(self, tree: Oid, parents: Sequence[Sha], message: str) -> Sha:
        args = [each for parent in parents for each in ("-p", parent)]
        done = self._made("commit-tree", tree, *args, stdin=f"{message}\n".encode())
        return Sha(done.stdout.decode().strip())

    def _made(
        self, *args: str, stdin: bytes = b"", expect: Sequence[int] = (0,)
    ) -> Finished:
        """Run what makes objects in the passing clone."""
        env = local_environment(self.git_dir) | _PERSON
        done = run(self.git_dir, args, env, stdin=stdin)
        if done.code not in expect:
            raise _failed(args[0], done)
        return done

    def _personal(
        self,
        *args: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        expect: Sequence[int] = (0,),
    ) -> Finished:
        """Run the person's git: with their filters, ignored files and credentials."""
        done = run(
            self._work_tree,
            [*_UNTOUCHED, *args],
            dict(env or {}),
            stdin=stdin,
            personal=True,
        )
        if done.code not in expect:
            raise _failed(args[0], done)
        return done


def _failed(command: str, done: Finished) -> TerminalError:
    return TerminalError(f"git {command}: {cut(done.stderr)}", reason="GitFailed")
