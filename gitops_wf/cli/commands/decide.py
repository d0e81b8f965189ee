"""`approve`, `reject`, `retry`, `redeploy`, `abort`, `rollback`: a commit each."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from gitops_wf.cli.options import ConfigOption, RevisionArgument, split_number
from gitops_wf.cli.session import session
from gitops_wf.core.config import RepositoryConfig
from gitops_wf.core.decision import Verb
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.policy import Identity
from gitops_wf.ports.git_writer import GitWriter
from gitops_wf.ports.store import EnvironmentRecord
from gitops_wf.services.query import Query
from gitops_wf.services.roll_back import RollBack
from gitops_wf.services.write_decision import Wish, WriteDecision, Written

CommitOption = Annotated[
    str,
    typer.Option(
        "--revision",
        metavar="SHA",
        help="The revision by its commit, 7 digits or more.",
    ),
]
StepOption = Annotated[
    str,
    typer.Option(
        metavar="STEP", help="The step; may be left out when only one can be meant."
    ),
]
CommentOption = Annotated[
    str, typer.Option("--comment", "-m", metavar="TEXT", help="Why, for the history.")
]
PushOption = Annotated[
    bool, typer.Option("--push", help="Push the commit; nothing acts before that.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a person's commit about an environment is made."""

    query: Query
    record: EnvironmentRecord
    repository: RepositoryConfig
    writer: GitWriter
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
    from gitops_wf.bootstrap.files import definition_reader
    from gitops_wf.bootstrap.writing import open_writer

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


def _decide(
    verb: Verb,
    environment: str,
    *,
    revision: str,
    step: str,
    comment: str,
    push: bool,
    config: Path | None,
) -> None:
    name, number = split_number(environment)
    if revision and number is not None:
        raise typer.BadParameter("name the revision once: --revision or #N")
    wish = Wish(
        decision=verb,
        number=number,
        commit=revision,
        step=step or None,
        comment=comment,
    )
    with desk(config, name) as at:
        written = at.write_decision().write(at.record, wish, push=push)
        print(written.shown.rstrip("\n"))
        _note_signature(at, written)
        _next(at, is_pushed=written.is_pushed, what=verb.value, name=name)


def _note_signature(at: Desk, written: Written) -> None:
    """Say what the policy will ask of the commit, which only its keys can show."""
    policy = at.query.policy(written.revision)
    if policy.identity is Identity.SIGNATURE:
        _say(
            "the policy counts signed commits only: check that yours is"
            f" (git verify-commit {written.sha[:12]})"
        )


def _next(at: Desk, *, is_pushed: bool, what: str, name: str) -> None:
    """Say where the commit is now, and what is left to do."""
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
        _say(
            "nothing was written: this is no work tree of the repository, and without"
            f" --push the commit has nowhere to stay; {what} again with --push"
        )


def _say(text: str) -> None:
    print(f"\n{text}", file=sys.stderr)


def approve(
    environment: RevisionArgument,
    revision: CommitOption = "",
    step: StepOption = "",
    comment: CommentOption = "",
    push: PushOption = False,
    config: ConfigOption = None,
) -> None:
    """Approve a step of the revision that waits, by a commit."""
    _decide(
        Verb.APPROVE,
        environment,
        revision=revision,
        step=step,
        comment=comment,
        push=push,
        config=config,
    )


def reject(
    environment: RevisionArgument,
    revision: CommitOption = "",
    step: StepOption = "",
    comment: CommentOption = "",
    push: PushOption = False,
    config: ConfigOption = None,
) -> None:
    """Reject a revision, by a commit: its run ends, and its content stays barred."""
    _decide(
        Verb.REJECT,
        environment,
        revision=revision,
        step=step,
        comment=comment,
        push=push,
        config=config,
    )


def retry(
    environment: RevisionArgument,
    revision: CommitOption = "",
    comment: CommentOption = "",
    push: PushOption = False,
    config: ConfigOption = None,
) -> None:
    """Run the newest revision again, by a commit; what succeeded is kept."""
    _decide(
        Verb.RETRY,
        environment,
        revision=revision,
        step="",
        comment=comment,
        push=push,
        config=config,
    )


def redeploy(
    environment: RevisionArgument,
    revision: CommitOption = "",
    comment: CommentOption = "",
    push: PushOption = False,
    config: ConfigOption = None,
) -> None:
    """Run the newest revision again from the start, by a commit."""
    _decide(
        Verb.REDEPLOY,
        environment,
        revision=revision,
        step="",
        comment=comment,
        push=push,
        config=config,
    )


def abort(
    environment: RevisionArgument,
    revision: CommitOption = "",
    comment: CommentOption = "",
    push: PushOption = False,
    config: ConfigOption = None,
) -> None:
    """End the run in progress, by a commit."""
    _decide(
        Verb.ABORT,
        environment,
        revision=revision,
        step="",
        comment=comment,
        push=push,
        config=config,
    )


def rollback(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="An environment.")],
    to: Annotated[
        int | None,
        typer.Option("--to", min=1, metavar="N", help="Else to the released one."),
    ] = None,
    push: PushOption = False,
    config: ConfigOption = None,
) -> None:
    """Go back to an earlier revision that succeeded, by a commit.

    The commit makes the environment's inputs what they were. Where they are inputs of
    other environments too, these are named and nothing is written.
    """
    with desk(config, environment) as at:
        service = RollBack(
            query=at.query, writer=at.writer, is_watched_itself=at.is_watched_itself
        )
        done = service.write(at.record, to, push=push)
        print(done.shown.rstrip("\n"))
        _next(at, is_pushed=done.is_pushed, what="rollback", name=environment)
