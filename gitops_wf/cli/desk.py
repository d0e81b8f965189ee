"""Where a person's commit about an environment is made, and what is said of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitops_wf.bootstrap.files import definition_reader
from gitops_wf.bootstrap.writing import open_writer
from gitops_wf.cli.session import session
from gitops_wf.core.config import RepositoryConfig
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.policy import Identity
from gitops_wf.ports.git_writer import BranchWriter
from gitops_wf.ports.store import EnvironmentRecord
from gitops_wf.services.query import Query
from gitops_wf.services.roll_back import RollBack
from gitops_wf.services.write_decision import Wish, WriteDecision, Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a person's commit about an environment is made."""

    query: Query
    record: EnvironmentRecord
    repository: RepositoryConfig
    writer: BranchWriter
    work_tree: Path | None
    remote: str | None
    write_decision: Callable[[], WriteDecision]

    @property
    def is_watched_itself(self) -> bool:
        """Whether the daemon watches the work tree, so that a commit is enough."""
        return self.work_tree is not None and self.remote is None


@contextmanager
def desk(config: Path | None, name: str) -> Iterator[Desk]:
    """Open the store, and a work tree or a passing clone of the repository."""
    with session(config) as opened:
        place = opened.query.resolve(name)
        with opened.query.store.read() as reader:
            record = reader.environment(place)
        assert record is not None
        repository = next(
            (r for r in opened.config.repositories if r.name == record.repository), None
        )
        if repository is None:
            raise TerminalError(
                f"repository {record.repository} is no longer in the daemon config",
                reason="NotFound",
            )
        with open_writer(repository, Path.cwd()) as at:
            made = Desk(
                query=opened.query,
                record=record,
                repository=repository,
                writer=at.writer,
                work_tree=at.work_tree,
                remote=at.remote,
                write_decision=lambda: WriteDecision(
                    query=opened.query,
                    writer=at.writer,
                    read_entries=definition_reader(opened.config).entries,
                    clock=opened.clock,
                    is_watched_itself=made.is_watched_itself,
                ),
            )
            yield made


def decide(name: str, wish: Wish, *, push: bool, config: Path | None) -> None:
    """Commit a decision, show the commit, and say what is left to do."""
    with desk(config, name) as at:
        written = at.write_decision().write(at.record, wish, push=push)
        print(_printable(written.shown))
        _note_signature(at, written)
        _next(at, is_pushed=written.is_pushed, what=str(wish.decision), name=name)


def roll_back(
    name: str, number: int | None, *, push: bool, config: Path | None
) -> None:
    """Commit a rollback, show the commit, and say what is left to do."""
    with desk(config, name) as at:
        service = RollBack(
            store=at.query.store,
            writer=at.writer,
            is_watched_itself=at.is_watched_itself,
        )
        done = service.write(at.record, number, push=push)
        print(_printable(done.shown))
        _next(at, is_pushed=done.is_pushed, what="rollback", name=name)


def _note_signature(at: Desk, written: Written) -> None:
    """Say what the policy will ask of the commit, which only its keys can show."""
    policy = at.query.policy(written.revision)
    if policy.identity is Identity.SIGNATURE:
        _say(
            "the policy counts signed commits only: check that yours is"
            f" (git verify-commit {written.sha[:12]})"
        )


def _next(at: Desk, *, is_pushed: bool, what: str, name: str) -> None:
    """Say where the commit is now, and what is left to do.

    Errors: TerminalError where it is nowhere: what is shown would have been it.
    """
    branch = at.repository.branch
    if is_pushed:
        _say(f"pushed to {branch}; gitops-wf describe {name} shows what came of it")
    elif at.is_watched_itself:
        _say(f"committed to {branch} in {at.work_tree}, which the daemon watches")
    elif at.work_tree is not None:
        _say(
            f"committed to {branch} in {at.work_tree}, not pushed: nothing acts before"
            f" git push {at.remote} {branch}"
        )
    else:
        raise TerminalError(
            "nothing was written: this is no work tree of the repository, and without"
            f" --push the commit has nowhere to stay; {what} again with --push",
            reason="NoEffect",
        )


def _say(text: str) -> None:
    print(f"\n{text}", file=sys.stderr)


def _printable(shown: str) -> str:
    """Return what git shows without what could move the cursor: others wrote in it."""
    return "\n".join(
        "".join(char if char.isprintable() or char == "\t" else "?" for char in line)
        for line in shown.rstrip("\n").split("\n")
    )
