"""The command `demo`."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    auto: Annotated[
        bool, typer.Option("--auto", help="Play it through without asking.")
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Play it here, and leave repository, config, store and sandbox.",
        ),
    ] = None,
) -> None:
    """Play a release on real parts: push, approve, break, revert.

    A bare Git repository, the daemon as a process and a sandbox cluster; no cluster
    and no config are needed. At a terminal each git command is shown and waits for
    Enter.
    """
    # The story needs most of the daemon; no other command should wait for that.
    from gitops_wf.cli.demo.play import play

    if not play(auto=auto, keep=keep):
        raise typer.Exit(1)
