"""Where texts with expressions stand inside a value."""

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_wf.definitions.problems import Location


def written_expressions(
    value: Any, location: Location = ()
) -> Iterator[tuple[Location, str]]:
    """Every text with `${{` inside a value, and where."""
    match value:
        case str():
            if "${{" in value:
                yield location, value
        case Mapping():
            for key, item in value.items():
                yield from written_expressions(item, (*location, key))
        case list() | tuple():
            for number, item in enumerate(value):
                yield from written_expressions(item, (*location, number))
        case _:
            return
