"""The colour of a word, so that a failure is seen before it is read."""

import re

_COLOURS = {
    "Succeeded": "green",
    "True": "green",
    "Current": "green",
    "accepted": "green",
    "Normal": "",
    "Running": "cyan",
    "InProgress": "cyan",
    "Pending": "dim",
    "Skipped": "dim",
    "withdrawn": "dim",
    "Suspended": "yellow",
    "Unknown": "yellow",
    "Warning": "yellow",
    "Aborted": "magenta",
    "refused": "red",
    "Failed": "red",
    "Errored": "red",
    "False": "red",
}
_WORD = re.compile(r"^(\w+)(?=$|[/,])")


def style_of(cell: str) -> str:
    """Return the style of a cell that begins with a phase or the like."""
    found = _WORD.match(cell)
    return _COLOURS.get(found[1], "") if found else ""
