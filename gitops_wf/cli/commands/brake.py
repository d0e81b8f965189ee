"""`pause` and `resume`: the brake on the daemon's host, which needs no Git."""

import getpass
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from gitops_wf.cli.options import ConfigOption
from gitops_wf.cli.session import Session, session
from gitops_wf.cli.table import one_line
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import EnvironmentId

if TYPE_CHECKING:
    from gitops_wf.services.brake import Brake

_Environments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ENV]...",
        help="Environments: their names, or repository/name.",
        show_default=False,
    ),
]
_All = Annotated[
    bool, typer.Option("--all", help="Every environment, those to come included.")
]


def pause(
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for all to see.")
    ],
    environments: _Environments = None,
    everything: _All = False,
    config: ConfigOption = None,
) -> None:
    """Stop new runs and attempts until `resume`, rollbacks too; Git is not asked.

    What is under way goes on to its end. It needs the rights to write the daemon's
    store, so it works on the daemon's host alone.
    """
    if not reason.strip():
        raise typer.BadParameter("--reason: say why, for those who will ask")
    with session(config) as opened, _brake(opened) as brake:
        for made in brake.pause(_meant(opened, environments, everything), reason):
            print(one_line(f"{made.environment or 'all'}: {made.text}"))


def resume(
    environments: _Environments = None,
    everything: _All = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for all to see.")
    ] = "",
    config: ConfigOption = None,
) -> None:
    """End a pause: what it held goes on at once.

    --all ends the pause of all; an environment that is paused by itself stays so.
    """
    with session(config) as opened, _brake(opened) as brake:
        meant = _meant(opened, environments, everything)
        ended = brake.resume(meant, reason)
        for environment in ended:
            print(f"{environment or 'all'}: resumed")
        with brake.store.read() as reader:
            left = reader.pauses()
        for pause_ in left:
            name = pause_.environment or "all"
            text = one_line(f"{name} stays paused: {pause_.text}")
            print(text, file=sys.stderr)
        missing = [name or "all" for name in meant if name not in ended]
        if missing:
            raise TerminalError(
                f"not paused by this command: {', '.join(missing)}", reason="NotPaused"
            )


@contextmanager
def _brake(opened: Session) -> Iterator["Brake"]:
    from gitops_wf.bootstrap.looking import open_brake
    from gitops_wf.bootstrap.telling import announcer_for
    from gitops_wf.services.brake import Brake

    store = open_brake(opened.config)
    try:
        yield Brake(
            store=store,
            clock=opened.clock,
            by=_account(),
            announcer=announcer_for(opened.config, executor=None),
        )
    finally:
        store.close()


def _meant(
    opened: Session, names: Sequence[str] | None, everything: bool
) -> list[EnvironmentId | None]:
    if bool(names) == everything:
        raise typer.BadParameter("name environments, or say --all")
    if everything:
        return [None]
    return list(dict.fromkeys(opened.query.resolve(name) for name in names or ()))


def _account() -> str:
    """Return who asks: the account's name, or its number where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        import os

        return f"uid {os.getuid()}"
