"""`validate`, `schema` and `health`: what files say, before anything runs.

Only the options stand here: what it takes to read files is imported when it is asked
for, so that no other command waits for it.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gitops_wf.cli.options import NoHeaderOption, Output, OutputOption
from gitops_wf.cli.printing import print_json, print_value
from gitops_wf.cli.table import Table, print_table

_HEALTH = ("source", "object", "status", "message")


def validate(
    path: Annotated[
        Path, typer.Argument(help="A work tree, or a folder in it.", exists=True)
    ] = Path(),
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="Check the names of targets, channels and secrets against this, too.",
        ),
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which of the config's repositories it is."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check every environment of a work tree, as the daemon would read it.

    Each problem is a line `path:line: what, and what would be right`; exit code 1.
    """
    from gitops_wf.cli.checking import as_json, check, print_checked

    found = check(path.resolve(), config, repository)
    if output is not Output.TABLE:
        print_value([as_json(each) for each in found], output)
    else:
        print_checked(found, path)
    if not found or any(each.problems for each in found):
        raise typer.Exit(1)


def schema(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="One of environment, workflow, approvals, config."
        ),
    ],
) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    from gitops_wf.bootstrap.files import step_catalogue
    from gitops_wf.definitions.schemas import KINDS, schema_for

    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r}: there are {', '.join(KINDS)}")
    print_json(schema_for(kind, step_catalogue()))


def health(
    file: Annotated[
        Path,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE|DIR",
            help="Manifests with status; - reads what kubectl get -o yaml prints.",
        ),
    ],
    output: OutputOption = Output.TABLE,
    no_header: NoHeaderOption = False,
) -> None:
    """Say how the objects in files are, as the daemon would judge them.

    A row for each object; exit code 1 when one is Failed.
    """
    from gitops_wf.cli.checking import health_rows

    rows = health_rows(file)
    if output is not Output.TABLE:
        print_value([dict(zip(_HEALTH, row, strict=True)) for row in rows], output)
    elif rows:
        headers = tuple(key.upper() for key in _HEALTH)
        print_table(Table(headers=headers, rows=rows), header=not no_header)
    else:
        print(f"no objects in {file}", file=sys.stderr)
    if any(status == "Failed" for _, _, status, _ in rows):
        raise typer.Exit(1)
