"""`validate`, `schema` and `health`: what files say, before anything runs.

Only the options stand here: what it takes to read files is imported when it is asked
for, so that no other command waits for it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gitops_wf.cli.options import NoHeaderOption, Output, OutputOption
from gitops_wf.cli.printing import print_json, print_value
from gitops_wf.cli.table import Table, print_table

_HEALTH = ("source", "object", "status", "message")
_RULES = ("group", "kind", "origin")


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
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE|DIR",
            help="Manifests with status; - reads what kubectl get -o yaml prints.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="FILE", help="Use its health rules, too."
        ),
    ] = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="List the rules for custom kinds instead.")
    ] = False,
    output: OutputOption = Output.TABLE,
    no_header: NoHeaderOption = False,
) -> None:
    """Say how the objects in files are, as the daemon would judge them.

    A row for each object; exit code 1 when one is Failed. What is paused on purpose is
    Suspended.
    """
    from gitops_wf.cli.checking import health_rows, rule_rows

    if rules == (file is not None):
        raise typer.BadParameter("write either --file FILE|DIR or --rules")
    if file is None:
        _print_rows(_RULES, rule_rows(config), output, header=not no_header)
        return
    rows = health_rows(file, config)
    if rows or output is not Output.TABLE:
        _print_rows(_HEALTH, rows, output, header=not no_header)
    else:
        print(f"no objects in {file}", file=sys.stderr)
    if any(status == "Failed" for _, _, status, _ in rows):
        raise typer.Exit(1)


def _print_rows(
    keys: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    output: Output,
    *,
    header: bool,
) -> None:
    if output is not Output.TABLE:
        print_value([dict(zip(keys, row, strict=True)) for row in rows], output)
        return
    headers = tuple(key.upper() for key in keys)
    print_table(Table(headers=headers, rows=rows), header=header)
