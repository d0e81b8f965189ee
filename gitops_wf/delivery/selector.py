"""Label selectors, in the text form of kubectl's `-l`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator

from gitops_wf.core.errors import cut

_SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL = re.compile(
    r"^(?P<key>[^\s!=,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s=,()!]*)$"
)
_EXISTS = re.compile(r"^(?P<op>!?)\s*(?P<key>[^\s!=,()]+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One condition on a label: no values means that it need only be there."""

    key: str
    values: frozenset[str] | None
    is_negated: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it; a missing label meets every negated one."""
        value = labels.get(self.key)
        if value is None:
            return self.is_negated
        return (self.values is None or value in self.values) is not self.is_negated


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Requirements that must all be met; none selects everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``app=web,tier!=db,track in (a,b),!legacy``; ValueError names it."""
        terms = [term.strip() for term in re.split(r",(?![^(]*\))", text)]
        return cls(requirements=tuple(_requirement(term) for term in terms if term))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def _requirement(term: str) -> Requirement:
    if found := _SET.match(term):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(
            key=found["key"], values=values, is_negated=found["op"] == "notin"
        )
    if found := _EQUAL.match(term):
        return Requirement(
            key=found["key"],
            values=frozenset({found["value"]}),
            is_negated=found["op"] == "!=",
        )
    if found := _EXISTS.match(term):
        return Requirement(key=found["key"], values=None, is_negated=bool(found["op"]))
    raise ValueError(
        f"{cut(term, 64)!r} is no label selector: write key=value, key!=value, "
        "key in (a,b), key or !key"
    )


def _checked(text: str) -> str:
    Selector.parse(text)
    return text


SelectorText = Annotated[str, AfterValidator(_checked)]
"""A selector as a property of a step."""
