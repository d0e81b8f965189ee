"""Files of rules that come with the package: whose they are, and the rules."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from pydantic import Field

from gitops_wf.definitions.documents import empty_file, single_map
from gitops_wf.definitions.fields import Part, Text
from gitops_wf.definitions.problems import Outcome, errors, line_at
from gitops_wf.definitions.shape import shaped

RulePart = TypeVar("RulePart", bound=Part)
Rule = TypeVar("Rule")


class ShippedFile(Part, Generic[RulePart]):
    """One project's rules."""

    project: Text
    rules: tuple[RulePart, ...] = Field(min_length=1)


def read_shipped(
    data: bytes,
    path: str,
    model: type[ShippedFile[RulePart]],
    to_core: Callable[[RulePart, str], Iterable[Rule]],
) -> Outcome[list[Rule]]:
    """Read one of them; ``to_core`` is given each rule and its ``path:line``."""
    document, problems = single_map(data, path)
    if document is None:
        return errors(problems or [empty_file(path, "write `project` and `rules`")])
    file, problems = shaped(model, document, path)
    if file is None:
        return errors(problems)
    return [
        rule
        for number, part in enumerate(file.rules)
        for rule in to_core(part, f"{path}:{line_at(document, ('rules', number))}")
    ]
