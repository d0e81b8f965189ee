"""`describe`, `history` and `events`: one environment, closely."""

from typing import Annotated

import typer

from gitops_wf.cli import rows
from gitops_wf.cli.options import (
    ConfigOption,
    EnvironmentArgument,
    LimitOption,
    NoHeaderOption,
    Output,
    OutputOption,
    RevisionArgument,
    WatchOption,
    split_number,
)
from gitops_wf.cli.printing import follow, print_value, print_views
from gitops_wf.cli.session import session


def describe(
    environment: RevisionArgument,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show all about an environment: what runs, what waits, what would approve it."""
    from gitops_wf.cli.description import print_description

    name, number = split_number(environment)
    with session(config) as opened:
        told = opened.query.describe(opened.query.resolve(name), number)
        if output is Output.TABLE:
            print_description(told, opened.now())
        else:
            print_value(told.as_json(), output)


def history(
    environment: EnvironmentArgument,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    no_header: NoHeaderOption = False,
    limit: LimitOption = None,
) -> None:
    """Show what was deployed, who approved it and how it ended, newest first."""
    with session(config) as opened:
        found = opened.query.history(opened.query.resolve(environment), limit=limit)
        print_views(
            found,
            lambda views: rows.history(views, opened.now()),
            output,
            header=not no_header,
            empty="no revisions yet",
        )


def events(
    environment: Annotated[
        str | None,
        typer.Argument(metavar="[ENV]", help="Only this environment's."),
    ] = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
    no_header: NoHeaderOption = False,
    limit: LimitOption = 50,
) -> None:
    """Show what happened, oldest first."""
    with session(config) as opened:
        place = opened.environment(environment)
        if watch:
            follow(
                lambda: opened.query.events(place, limit=limit),
                lambda views: rows.events(views, opened.now()),
                lambda view: view.event.id,
                output,
                header=not no_header,
            )
        print_views(
            opened.query.events(place, limit=limit),
            lambda views: rows.events(views, opened.now()),
            output,
            header=not no_header,
            empty="nothing has happened yet",
        )
