"""Options that several commands share, declared once."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gitops_wf.cli.place import VARIABLE
from gitops_wf.core.durations import parse_duration


class Output(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help=f"The daemon config; else .gitops-wf here or above, else ${VARIABLE}.",
        show_default=False,
    ),
]
OutputOption = Annotated[
    Output,
    typer.Option(
        "--output", "-o", metavar="table|json|yaml", help="How to print the result."
    ),
]
WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Follow: print what changes.")
]
NoHeaderOption = Annotated[
    bool, typer.Option("--no-header", help="Leave out the table's header.")
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit", min=1, metavar="N", help="The newest N.", show_default=False
    ),
]
EnvironmentArgument = Annotated[
    str,
    typer.Argument(metavar="ENV", help="An environment: its name, or repository/name."),
]
SomeEnvironmentArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[ENV]", help="Only this environment's.", show_default=False
    ),
]
RevisionArgument = Annotated[
    str,
    typer.Argument(
        metavar="ENV[#N]", help="An environment, or one of its revisions: prod#12."
    ),
]


def duration(option: str, text: str) -> timedelta:
    """Parse an option that is a duration; BadParameter says what would be right."""
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{option}: {exc}") from exc


def split_number(text: str) -> tuple[str, int | None]:
    """Return the environment and the number of ``prod#12``.

    Errors: BadParameter where what follows the # is no number.
    """
    name, sign, number = text.partition("#")
    if not sign:
        return name, None
    if not number.isascii() or not number.isdigit():
        raise typer.BadParameter(f"{text!r}: write a number behind #, such as prod#12")
    return name, int(number)
