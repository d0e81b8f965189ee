"""Who may approve, as environment.yaml and the daemon config both write it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gitops_wf.core.errors import cut
from gitops_wf.core.policy import Identity, Policy
from gitops_wf.definitions.fields import Flag, Part, Quorum, Text, broken, check_name

_ADDRESS = re.compile(r"[^@\s<>,]+@[^@\s<>,]+")


def _person(value: str) -> str:
    if "@" not in value:
        return check_name(value)
    return check_address(value)


def check_address(value: str) -> str:
    """An e-mail address as Git has it."""
    if not _ADDRESS.fullmatch(value):
        raise broken(
            "person-syntax",
            f"`{cut(value, 80)}` is no person: write the e-mail address of their"
            " commits, such as ann@example.com",
        )
    return value


Person = Annotated[Text, AfterValidator(_person)]
"""An e-mail address, or the name of a group of the daemon config."""


class PolicyPart(Part):
    """Who may approve, and how many it takes."""

    approvers: tuple[Person, ...] | None = Field(
        default=None,
        description="E-mail addresses or groups of the daemon config; default: anyone",
    )
    min_approvals: Quorum = Field(
        default=1, description="How many different people must approve."
    )
    allow_author: Flag = Field(
        default=True, description="Whether authors of the change may approve it."
    )
    identity: Literal["author", "signature"] = Field(
        default="author", description="How sure it must be who approved."
    )
    bots: tuple[Text, ...] = Field(
        default=(), description="Addresses of bots whose approvals count."
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        people = self.approvers
        if people is None or any("@" not in person for person in people):
            return self  # a group's size is counted where groups are known
        if message := quorum_message(people, self.min_approvals):
            raise broken("quorum-bounds", message)
        return self

    def to_core(self, groups: Mapping[str, tuple[str, ...]]) -> Policy:
        """The core's value, with groups resolved; unknown ones are left out."""
        return Policy(
            approvers=None
            if self.approvers is None
            else tuple(dict.fromkeys(_resolved(self.approvers, groups))),
            min_approvals=self.min_approvals,
            allow_author=self.allow_author,
            identity=Identity(self.identity),
            bots=self.bots,
        )


def quorum_message(people: Iterable[str], needed: int) -> str:
    """What is wrong with a policy that nobody can satisfy; empty if somebody can."""
    count = len({person.casefold() for person in people})
    if count >= needed:
        return ""
    return (
        f"minApprovals is {needed}, but only {count} can approve: name more approvers"
        " or ask for fewer approvals"
    )


def _resolved(
    people: tuple[str, ...], groups: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    for person in people:
        if "@" in person:
            yield person
        else:
            yield from groups.get(person, ())
