"""`gitops-wf get`: lists of what the daemon knows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gitops_wf.cli import rows
from gitops_wf.cli.options import (
    ConfigOption,
    LimitOption,
    NoHeaderOption,
    Output,
    OutputOption,
    RevisionArgument,
    SomeEnvironmentArgument,
    WatchOption,
    split_number,
)
from gitops_wf.cli.printing import V, follow, print_views
from gitops_wf.cli.session import Session, session
from gitops_wf.cli.table import Table

_SHORT = {"env": "environments", "envs": "environments", "repo": "repositories"}


class SingularToo(TyperGroup):
    """`get revision` and `get env` mean what `get revisions` and the like mean."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name, its singular or a short form."""
        names = (cmd_name, f"{cmd_name}s", _SHORT.get(cmd_name, ""))
        plural = f"{cmd_name[:-1]}ies" if cmd_name.endswith("y") else ""
        for name in (*names, plural):
            found = super().get_command(ctx, name)
            if found is not None:
                return found
        return None


app = typer.Typer(
    cls=SingularToo, no_args_is_help=True, help="List what the daemon knows."
)


def _show(
    config: Path | None,
    look: Callable[[Session], Sequence[V]],
    table: Callable[[Sequence[V], Session], Table],
    key: Callable[[V], Any],
    *,
    output: Output,
    watch: bool,
    no_header: bool,
    empty: str,
) -> None:
    with session(config) as opened:
        if watch:
            follow(
                lambda: look(opened),
                lambda views: table(views, opened),
                key,
                output,
                header=not no_header,
            )
        print_views(
            look(opened),
            lambda views: table(views, opened),
            output,
            header=not no_header,
            empty=empty,
        )


@app.command()
def environments(
    removed: Annotated[
        bool, typer.Option("--removed", help="Those that are gone too.")
    ] = False,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
    no_header: NoHeaderOption = False,
) -> None:
    """List environments: released and newest revision, and what needs a person."""
    _show(
        config,
        lambda opened: opened.query.environments(removed=removed),
        lambda views, opened: rows.environments(views, opened.now()),
        lambda view: view.record.id,
        output=output,
        watch=watch,
        no_header=no_header,
        empty="no environments yet; gitops-wf get repositories says how polling goes",
    )


@app.command()
def revisions(
    environment: SomeEnvironmentArgument = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
    no_header: NoHeaderOption = False,
    limit: LimitOption = None,
) -> None:
    """List revisions, newest first: one for each commit that changed an environment."""

    def look(opened: Session) -> Sequence[Any]:
        found = opened.query.revisions(opened.environment(environment), limit=limit)
        return found[::-1] if watch else found

    _show(
        config,
        look,
        lambda views, opened: rows.revisions(views, opened.now()),
        lambda view: (view.revision.environment, view.revision.number),
        output=output,
        watch=watch,
        no_header=no_header,
        empty="no revisions yet",
    )


@app.command()
def runs(
    environment: RevisionArgument = "",
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
    no_header: NoHeaderOption = False,
    limit: LimitOption = None,
) -> None:
    """List runs, newest first: a retry is a run of its own."""
    name, number = split_number(environment)

    def look(opened: Session) -> Sequence[Any]:
        found = opened.query.runs(
            opened.environment(name or None), number=number, limit=limit
        )
        return found[::-1] if watch else found

    _show(
        config,
        look,
        lambda views, opened: rows.runs(views, opened.now()),
        lambda view: view.run.id,
        output=output,
        watch=watch,
        no_header=no_header,
        empty="no runs yet",
    )


@app.command()
def decisions(
    environment: RevisionArgument = "",
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
    no_header: NoHeaderOption = False,
    limit: LimitOption = None,
) -> None:
    """List decisions, newest first: who decided what, and what came of it."""
    name, number = split_number(environment)

    def look(opened: Session) -> Sequence[Any]:
        found = opened.query.decisions(
            opened.environment(name or None), number=number, limit=limit
        )
        return found[::-1] if watch else found

    _show(
        config,
        look,
        lambda views, opened: rows.decisions(views, opened.now()),
        lambda view: view.decision.id,
        output=output,
        watch=watch,
        no_header=no_header,
        empty="no decisions yet",
    )


@app.command()
def targets(
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    no_header: NoHeaderOption = False,
) -> None:
    """List targets: whether they answer, and the gates before them."""
    _show(
        config,
        lambda opened: opened.query.targets(),
        lambda views, opened: rows.targets(views, opened.now()),
        lambda view: view.target.name,
        output=output,
        watch=False,
        no_header=no_header,
        empty="the daemon config has no targets",
    )


@app.command()
def inventory(
    environment: SomeEnvironmentArgument = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
    no_header: NoHeaderOption = False,
) -> None:
    """List the objects that environments own on their targets."""
    _show(
        config,
        lambda opened: opened.query.inventories(opened.environment(environment)),
        lambda views, _opened: rows.inventory(views),
        lambda view: (view.environment, view.target),
        output=output,
        watch=watch,
        no_header=no_header,
        empty="no environment owns anything yet",
    )


@app.command()
def repositories(
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
    no_header: NoHeaderOption = False,
) -> None:
    """List watched repositories, and how polling them goes.

    Polls that bring nothing are noted every five minutes: POLLED may be as much older.
    """
    _show(
        config,
        lambda opened: opened.query.repositories(),
        lambda views, opened: rows.repositories(views, opened.now()),
        lambda view: view.record.name,
        output=output,
        watch=watch,
        no_header=no_header,
        empty="no repositories yet; the daemon writes them when it starts",
    )
