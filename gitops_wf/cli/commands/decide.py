"""`approve`, `reject`, `retry`, `redeploy`, `abort`, `rollback`: a commit each.

Only the options stand here: what it takes to commit is imported when it is asked for.
"""

from pathlib import Path
from typing import Annotated

import typer

from gitops_wf.cli.options import ConfigOption, RevisionArgument, split_number
from gitops_wf.core.decision import Verb

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
DigestOption = Annotated[
    str,
    typer.Option(
        metavar="SHA256",
        help="Count only if the run delivered just this, as `describe` prints it.",
    ),
]
PushOption = Annotated[
    bool, typer.Option("--push", help="Push the commit; nothing acts before that.")
]


def _decide(
    verb: Verb,
    environment: str,
    *,
    revision: str,
    step: str,
    comment: str,
    push: bool,
    config: Path | None,
    digest: str = "",
) -> None:
    from gitops_wf.cli.desk import decide
    from gitops_wf.services.write_decision import Wish

    name, number = split_number(environment)
    if revision and number is not None:
        raise typer.BadParameter("name the revision once: --revision or #N")
    wish = Wish(
        decision=verb,
        number=number,
        commit=revision,
        step=step or None,
        comment=comment,
        digest=digest,
    )
    decide(name, wish, push=push, config=config)


def approve(
    environment: RevisionArgument,
    revision: CommitOption = "",
    step: StepOption = "",
    comment: CommentOption = "",
    digest: DigestOption = "",
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
        digest=digest,
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
    from gitops_wf.cli.desk import roll_back

    roll_back(environment, to, push=push, config=config)
