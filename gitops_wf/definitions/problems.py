"""What is wrong with a file: which rule, where, and what would be right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from gitops_wf.core.errors import DefinitionError
from gitops_wf.definitions.yaml_text import YamlList, YamlMap

MOST_PROBLEMS = 20
"""How many problems of one definition are told."""

T = TypeVar("T")
Outcome: TypeAlias = T | tuple[DefinitionError, ...]
"""The value of a file, or everything that is wrong with it."""

Location = tuple[str | int, ...]


class BrokenRule(DefinitionError):  # noqa: N818 - it names what it is
    """A DefinitionError that names the rule, for programs and for tests."""

    def __init__(self, path: str, line: int | None, message: str, rule: str) -> None:
        super().__init__(path, line, message)
        self.rule = rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem; `rule` is the id of a rule in `rules.RULES`."""

    rule: str
    path: str
    line: int | None
    message: str

    def error(self) -> DefinitionError:
        """The problem as others are told of it."""
        return BrokenRule(self.path, self.line, self.message, self.rule)


def errors(problems: Iterable[Problem]) -> tuple[DefinitionError, ...]:
    """The problems in the order of their files and lines, at most `MOST_PROBLEMS`."""
    ordered = sorted(dict.fromkeys(problems), key=lambda one: (one.path, one.line or 0))
    told = [problem.error() for problem in ordered[:MOST_PROBLEMS]]
    if len(ordered) > MOST_PROBLEMS:
        last = ordered[MOST_PROBLEMS]
        told.append(DefinitionError(last.path, last.line, "and more from here on"))
    return tuple(told)


def line_at(root: Any, location: Sequence[str | int]) -> int | None:
    """The line of what `location` leads to; of the nearest part that is there."""
    value, line = root, getattr(root, "line", None)
    for part in location:
        match value:
            case YamlMap() if part in value:
                line = value.lines.get(str(part), line)
                value = value[str(part)]
            case YamlList() if isinstance(part, int) and part < len(value):
                line = value.lines[part]
                value = value[part]
            case _:
                continue  # a name that the model checker put there itself
    return line


def plain(value: Any) -> Any:
    """The value without its places: plain JSON types."""
    match value:
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case bool() | None | str():
            return value
        case int():
            return int(value)
        case float():
            return float(value)
        case _:
            return value
