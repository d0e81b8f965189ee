"""`wait`: until a revision gets somewhere, or ends, or the time is over."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from gitops_wf.cli.options import (
    ConfigOption,
    Output,
    OutputOption,
    RevisionArgument,
    duration,
    split_number,
)
from gitops_wf.cli.printing import POLL_SECONDS, print_value
from gitops_wf.cli.rows import revision_status, waiting_text
from gitops_wf.cli.session import Session, session
from gitops_wf.cli.table import one_line
from gitops_wf.core.identifiers import EnvironmentId, environment_name
from gitops_wf.core.phases import Phase

if TYPE_CHECKING:
    from gitops_wf.services.views import RevisionView

ENDED_OTHERWISE, TIMED_OUT = 1, 124


class Goal(StrEnum):
    """What is waited for."""

    SUCCEEDED = "succeeded"
    ENDED = "ended"
    SUSPENDED = "suspended"
    RELEASED = "released"


def wait(
    environment: RevisionArgument,
    goal: Annotated[
        Goal,
        typer.Option("--for", metavar="|".join(Goal), help="What to wait for."),
    ] = Goal.SUCCEEDED,
    revision: Annotated[
        str | None,
        typer.Option(
            metavar="SHA",
            help="Of this commit, which need not have arrived; else of the newest.",
        ),
    ] = None,
    number: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of this number: as ENV#N.")
    ] = None,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Give up after this; 0s: never.")
    ] = "10m",
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Wait until a revision gets somewhere.

    Exit codes: 0 it got there, 1 it ended otherwise, 124 the time limit was reached
    (as timeout(1) has it). What changes meanwhile is told on standard error.
    """
    from gitops_wf.core.verdict import SHORTEST_SHA

    patience = duration("--timeout", timeout)
    name, numbered = split_number(environment)
    number = number or numbered
    if revision is not None:
        if number is not None:
            raise typer.BadParameter("name the revision once: --revision or a number")
        revision = revision.casefold()
        if len(revision) < SHORTEST_SHA or set(revision) - set("0123456789abcdef"):
            raise typer.BadParameter(
                f"--revision {revision!r}: write at least {SHORTEST_SHA} hex digits"
            )
    with session(config) as opened:
        place = opened.query.resolve(name)
        limit = opened.now() + patience if patience else None
        found, told = _until(opened, place, goal, revision or number, limit)
    if found is None:
        which = f"{name}#{number}" if number else f"{name} at {revision or 'its head'}"
        print(
            f"gitops-wf: no revision {which} within {timeout};"
            " gitops-wf get revisions lists those that there are",
            file=sys.stderr,
        )
        raise typer.Exit(TIMED_OUT)
    if output is not Output.TABLE:
        print_value(found.as_json(), output)
    elif _line(found) != told or not (sys.stdout.isatty() and sys.stderr.isatty()):
        print(_line(found))  # a person has just read it, if both are one terminal
    reached = _verdict(goal, found)
    if reached is None:
        print(f"gitops-wf: not {goal} within {timeout}", file=sys.stderr)
        raise typer.Exit(TIMED_OUT)
    if not reached:
        raise typer.Exit(ENDED_OTHERWISE)


def _until(
    opened: Session,
    place: EnvironmentId,
    goal: Goal,
    which: str | int | None,
    limit: datetime | None,
) -> tuple[RevisionView | None, str]:
    """Return the revision at the end, and what was told of it last."""
    told = ""
    while True:
        found = _find(opened, place, which)
        if found is not None:
            if _verdict(goal, found) is not None:
                return found, told
            which = found.revision.number  # a newer commit does not change the subject
            if _line(found) != told:
                told = _line(found)
                print(told, file=sys.stderr)
        if limit is not None and opened.now() >= limit:
            return found, told
        Event().wait(POLL_SECONDS)


def _find(
    opened: Session, place: EnvironmentId, which: str | int | None
) -> RevisionView | None:
    if isinstance(which, int):
        return opened.query.revision(place, which)
    for view in opened.query.revisions(place, limit=None if which else 1):
        if which is None or view.revision.commit.startswith(which):
            return view
    return None


def _verdict(goal: Goal, view: RevisionView) -> bool | None:
    """Say whether it is reached, can no longer be, or neither yet."""
    revision = view.revision
    match goal:
        case Goal.ENDED:
            return True if revision.phase.is_final else None
        case Goal.SUCCEEDED:
            reached = revision.phase is Phase.SUCCEEDED
        case Goal.RELEASED:
            reached = revision.released
        case Goal.SUSPENDED:
            reached = bool(view.waiting)
    if reached:
        return True
    return False if revision.phase.is_final else None


def _line(view: RevisionView) -> str:
    revision = view.revision
    name = f"{environment_name(revision.environment)}#{revision.number}"
    text = f"{name} {revision.commit[:8]} {revision_status(revision)}"
    if view.waiting:
        return one_line(f"{text}: waits for {waiting_text(view.waiting)}")
    return one_line(f"{text}: {revision.message}") if revision.message else text
