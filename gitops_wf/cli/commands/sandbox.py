"""`sandbox start|stop|reset|status`: the cluster that needs no cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gitops_wf.cli.options import ConfigOption, Output, OutputOption
from gitops_wf.cli.place import FOLDER, VARIABLE, find_config, noted
from gitops_wf.cli.printing import print_value
from gitops_wf.cli.table import Table, print_table
from gitops_wf.core.errors import TerminalError
from gitops_wf.sandbox import process
from gitops_wf.sandbox.process import SandboxError, SandboxInfo

app = typer.Typer(
    no_args_is_help=True,
    help="A small Kubernetes API server on this machine, for trying and testing.",
)
_FOLDER = "sandbox"

DirOption = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        help="Its directory; else that of the daemon's sandbox.",
        show_default=False,
    ),
]


@app.command()
def start(
    directory: DirOption = None,
    delay: Annotated[
        str,
        typer.Option(
            metavar="DURATION", help="How long its containers take to start: 300ms."
        ),
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 0,
    config: ConfigOption = None,
) -> None:
    """Start it, or say that it runs already."""
    place = _place(directory, config)
    with _translated():
        info = process.start(place, port=port, delay=delay)
    _print(place, info, "started" if info.fresh else "runs already")


@app.command()
def stop(directory: DirOption = None, config: ConfigOption = None) -> None:
    """Stop it; its objects are kept."""
    place = _place(directory, config)
    with _translated():
        ran = process.stop(place)
    print(f"sandbox in {place}: {'stopped' if ran else 'did not run'}")


@app.command()
def reset(directory: DirOption = None, config: ConfigOption = None) -> None:
    """Forget all its objects; one that runs goes on, empty."""
    place = _place(directory, config)
    with _translated():
        info = process.reset(place)
    print(f"sandbox in {place}: emptied")
    if info is not None:
        _print(place, info, "started again")


@app.command()
def status(
    directory: DirOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say whether it runs, and where; exit code 1 if it does not."""
    place = _place(directory, config)
    info = process.status(place)
    row = {
        "directory": str(place),
        "running": info is not None,
        "pid": info.pid if info else None,
        "url": info.url if info else None,
        "kubeconfig": str(info.kubeconfig) if info else None,
    }
    if output is not Output.TABLE:
        print_value(row, output)
    else:
        print_table(
            Table(
                headers=("RUNNING", "PID", "URL", "DIRECTORY"),
                rows=[
                    (
                        str(info is not None),
                        str(info.pid) if info else "",
                        info.url if info else "",
                        str(place),
                    )
                ],
            )
        )
    if info is None:
        raise typer.Exit(1)


def _place(directory: Path | None, config: Path | None) -> Path:
    """Return the directory that is meant, absolute."""
    if directory is not None:
        return directory.absolute()
    is_named = config is not None or noted() is not None or VARIABLE in os.environ
    here = Path.cwd() / FOLDER
    return Path(find_config(config).directory if is_named else here) / _FOLDER


def _print(place: Path, info: SandboxInfo, what: str) -> None:
    print(f"sandbox in {place}: {what} (pid {info.pid}) at {info.url}")
    print(f"export KUBECONFIG={info.kubeconfig}")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SandboxError as exc:
        raise TerminalError(str(exc), reason="SandboxFailed") from exc
