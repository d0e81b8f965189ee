"""Tables as kubectl, flux and argocd print them: aligned words, no lines.

At a terminal the last column is cut to its width and phases have colours; anywhere
else nothing is cut, so that what follows a pipe sees it all. Whatever a repository
or a cluster wrote is one printable line here, so it cannot move the cursor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from gitops_wf.cli.colours import style_of

_GAP = "   "
_NARROWEST = 12
"""Columns that the last one keeps, however narrow the terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Headers and rows of plain text; columns in ``optional`` go where all empty."""

    headers: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    optional: frozenset[str] = field(default_factory=frozenset)

    def shown(self) -> "Table":
        """Return it without the optional columns that say nothing."""
        keep = [
            index
            for index, header in enumerate(self.headers)
            if header not in self.optional or any(row[index] for row in self.rows)
        ]
        return Table(
            headers=tuple(self.headers[index] for index in keep),
            rows=[tuple(row[index] for index in keep) for row in self.rows],
        )

    def lines(
        self,
        *,
        header: bool = True,
        width: int | None = None,
        widths: Sequence[int] = (),
        indent: str = "",
    ) -> list[Text]:
        """Return its lines; ``widths`` are the least of its columns."""
        rows = [tuple(one_line(cell) for cell in row) for row in self.rows]
        sizes = self.widths(widths)
        lines = [self._line(self.headers, sizes, width, indent, is_header=True)]
        lines += [self._line(row, sizes, width, indent) for row in rows]
        return lines if header else lines[1:]

    def widths(self, least: Sequence[int] = ()) -> list[int]:
        """Return the width of each column."""
        sizes = [cell_len(header) for header in self.headers]
        for row in self.rows:
            cells = [cell_len(one_line(cell)) for cell in row]
            sizes = [max(pair) for pair in zip(sizes, cells, strict=True)]
        if len(least) == len(sizes):
            sizes = [max(pair) for pair in zip(sizes, least, strict=True)]
        return sizes

    @staticmethod
    def _line(
        cells: Sequence[str],
        sizes: Sequence[int],
        width: int | None,
        indent: str,
        *,
        is_header: bool = False,
    ) -> Text:
        line = Text(indent, no_wrap=True)
        for cell, size in zip(cells[:-1], sizes[:-1], strict=True):
            style = "bold" if is_header else style_of(cell)
            line.append(cell, style)
            line.append(" " * (size - cell_len(cell)) + _GAP)
        last = cells[-1]
        if width is not None:
            last = fitted(last, max(width - line.cell_len, _NARROWEST))
        line.append(last, "bold" if is_header else style_of(last))
        line.rstrip()
        return line


def one_line(text: str) -> str:
    """Return a text as one printable line."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split())


def fitted(text: str, width: int) -> str:
    """Return a text cut to so many columns."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…"


def console() -> Console:
    """Return standard output as it is now: coloured only at a terminal."""
    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


def print_table(table: Table, *, header: bool = True, indent: str = "") -> None:
    """Print a table."""
    print_lines(table.shown(), header=header, indent=indent)


def print_lines(
    table: Table, *, header: bool, widths: Sequence[int] = (), indent: str = ""
) -> None:
    """Print a table's lines as they stand."""
    out = console()
    width = out.width if out.is_terminal else None
    for line in table.lines(header=header, width=width, widths=widths, indent=indent):
        out.print(line)
