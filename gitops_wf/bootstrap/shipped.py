"""Rules that come with the package: data, a file for each project."""

from collections.abc import Callable
from importlib.resources import files
from typing import TypeVar

from gitops_wf.definitions.problems import Outcome

T = TypeVar("T")


def shipped(name: str, read: Callable[[bytes, str], Outcome[list[T]]]) -> tuple[T, ...]:
    """Return what the YAML files of a folder of `definitions` hold.

    Errors: DefinitionErrors in an ExceptionGroup, where the package is damaged.
    """
    folder = files("gitops_wf.definitions").joinpath(name)
    found: list[T] = []
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".yaml"):
            continue
        rules = read(file.read_bytes(), file.name)
        if isinstance(rules, tuple):
            raise ExceptionGroup(f"{name} of the package are not valid", list(rules))
        found.extend(rules)
    return tuple(found)
