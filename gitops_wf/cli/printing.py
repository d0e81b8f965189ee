"""Printing results as the user asked: a table, JSON or YAML, once or following."""

import json
import sys
from collections.abc import Callable, Hashable, Sequence
from threading import Event
from typing import Any, Protocol, TypeVar

from gitops_wf.cli.options import Output
from gitops_wf.cli.table import Table, print_lines, print_table

POLL_SECONDS = 0.5
"""How often a command that follows looks again; a look is one read of the store."""


class View(Protocol):
    """A result that reads outside."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""


V = TypeVar("V", bound=View)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_yaml(value: Any) -> None:
    """Print a value as YAML."""
    import yaml

    yaml.safe_dump(value, sys.stdout, sort_keys=False, allow_unicode=True)


def print_value(value: Any, output: Output) -> None:
    """Print a value as JSON or YAML."""
    if output is Output.JSON:
        print_json(value)
    else:
        print_yaml(value)


def print_views(
    views: Sequence[V],
    rows: Callable[[Sequence[V]], Table],
    output: Output,
    *,
    header: bool = True,
    empty: str = "",
) -> None:
    """Print a list once; an empty table says so on standard error."""
    if output is not Output.TABLE:
        print_value([view.as_json() for view in views], output)
    elif views:
        print_table(rows(views), header=header)
    elif empty:
        print(empty, file=sys.stderr)


def follow(
    look: Callable[[], Sequence[V]],
    rows: Callable[[Sequence[V]], Table],
    key: Callable[[V], Hashable],
    output: Output,
    *,
    header: bool = True,
) -> None:
    """Print a list, then what changes in it, until interrupted.

    As ``kubectl get -w``: a changed item is printed again below; as JSON, each on a
    line of its own.
    """
    known: dict[Hashable, dict[str, Any]] = {}
    widths: list[int] = []
    while True:
        views = look()
        plain = [(view, view.as_json()) for view in views]
        changed = [(view, each) for view, each in plain if known.get(key(view)) != each]
        if changed and output is Output.TABLE:
            table = rows([view for view, _ in changed])
            print_lines(table, header=header and not known, widths=widths)
            widths = table.widths(widths)
        elif changed:
            for _, each in changed:
                _print_one(each, output)
        sys.stdout.flush()
        known |= {key(view): each for view, each in changed}
        Event().wait(POLL_SECONDS)


def _print_one(value: Any, output: Output) -> None:
    if output is Output.JSON:
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("---\n")
        print_yaml(value)
