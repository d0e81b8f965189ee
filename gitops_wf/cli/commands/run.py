"""`run`: the daemon, in the foreground, until it is told to end."""

import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from gitops_wf.cli.options import ConfigOption
from gitops_wf.cli.place import FOLDER, Told, find


class Level(StrEnum):
    """The least that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def run(
    config: ConfigOption = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Without a config: deploy to a sandbox.")
    ] = False,
    repo: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="With --sandbox: the repository to watch, on this machine.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="With --sandbox: else the one checked out there."
        ),
    ] = None,
    log_level: Annotated[
        Level, typer.Option(metavar="|".join(Level), help="The least that is logged.")
    ] = Level.INFO,
) -> None:
    """Run the daemon until it is interrupted: watch, deploy, wait, roll back.

    SIGTERM or SIGINT ends it in order: what runs has a few seconds to end and is
    recorded, the rest is taken up at the next start. A second one ends it at once.

    With --sandbox everything it keeps, the cluster included, is in .gitops-wf below
    the working directory, and no config is needed.
    """
    from gitops_wf.bootstrap.process import REDACTOR, begin_long_life
    from gitops_wf.bootstrap.running import make_daemon
    from gitops_wf.logs import configure_logs

    configure_logs(level=log_level.value, redactor=REDACTOR)
    directory = Path.cwd() / FOLDER
    if sandbox:
        told = _sandboxed(directory, config, repo, branch)
    elif repo is not None or branch is not None:
        raise typer.BadParameter("--repo and --branch go with --sandbox")
    else:
        told = find(config)
    daemon = make_daemon(told.load(), REDACTOR)
    told.remember()
    interrupted = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = number == signal.SIGINT
        # The second one ends it as it would any program: all that counts is stored.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        daemon.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if sandbox and sys.stderr.isatty():
        kubeconfig = directory / "sandbox" / "kubeconfig"
        print(f"the sandbox: export KUBECONFIG={kubeconfig}", file=sys.stderr)
    begin_long_life()
    daemon.run()
    if interrupted:
        raise KeyboardInterrupt


def _sandboxed(
    directory: Path, config: Path | None, repo: Path | None, branch: str | None
) -> Told:
    from gitops_wf.bootstrap.writing import repository_of

    if config is not None:
        raise typer.BadParameter("--sandbox needs no --config: name one of the two")
    if repo is None:
        raise typer.BadParameter("--sandbox needs --repo PATH, the repository to watch")
    repository, head = repository_of(repo)
    found = branch or head
    if found is None:
        raise typer.BadParameter(
            f"--repo {repo}: no repository with a branch checked out; make one with"
            " git init, or name the branch with --branch"
        )
    return Told(directory=directory, repository=repository.resolve(), branch=found)
