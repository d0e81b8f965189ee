"""Environments that wait for each other: found by what their files say, not by time."""

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from gitops_wf.core.environment import Wait
from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.identifiers import EnvironmentName

WaitsOf: TypeAlias = Callable[[EnvironmentName], tuple[Wait, ...]]
"""What an environment of the repository waits for; nothing for one that is gone."""


def circle_problem(name: EnvironmentName, waits_of: WaitsOf) -> DefinitionError | None:
    """Return what is wrong where an environment waits for one that waits for it."""
    found = circle(name, waits_of)
    if len(found) < 2:
        return None  # one that names itself is told of where its files are read
    first, *more = found
    text = f"{name} waits for {first.environment} ({first.place})" + "".join(
        f", which waits for {wait.environment} ({wait.place})" for wait in more
    )
    return DefinitionError(
        first.path,
        first.line,
        f"{text}: a commit that changes them all would never be released; remove one"
        " of these waits",
    )


def circle(name: EnvironmentName, waits_of: WaitsOf) -> tuple[Wait, ...]:
    """Return the waits that lead from an environment back to itself, the fewest.

    Nothing where none do. Only those are asked that it waits for, at however many
    removes; each once.
    """
    came_by: dict[EnvironmentName, tuple[EnvironmentName, Wait]] = {}
    open_names = deque([name])
    while open_names:
        current = open_names.popleft()
        for wait in waits_of(current):
            if wait.environment == name:
                return (*_way(name, current, came_by), wait)
            if wait.environment not in came_by:
                came_by[wait.environment] = (current, wait)
                open_names.append(wait.environment)
    return ()


def _way(
    start: EnvironmentName,
    end: EnvironmentName,
    came_by: dict[EnvironmentName, tuple[EnvironmentName, Wait]],
) -> tuple[Wait, ...]:
    """Return the waits on the way that was found."""
    way: list[Wait] = []
    while end != start:
        end, wait = came_by[end]
        way.append(wait)
    return tuple(reversed(way))
