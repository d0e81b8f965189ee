"""Notes: what is said of an event, in parts; notices: notes that wait to be said."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.identifiers import EnvironmentId

ANY = "ENVIRONMENT"
"""Stands in a note's commands for its environment; no name is in capitals."""


class Weight(IntEnum):
    """What comes first where several things are told: what somebody must act on."""

    BAD = 0
    WAITS = 1
    NEWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a subscriber is told about an event.

    ``place`` and ``headline`` are its first line; ``sums`` is the headline where many
    are counted together. ``about`` is whose change it is, ``link`` leads to it.
    ``needs`` says who is waited for. ``commands`` would act, with `ANY` in place of
    ``environment``, a shell word.
    """

    place: str
    headline: str
    sums: str
    weight: Weight
    about: str = ""
    link: str = ""
    message: str = ""
    needs: str = ""
    environment: str = ""
    commands: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The first line."""
        return cut(f"{self.place} {self.headline}")

    @property
    def acts(self) -> list[str]:
        """The commands, for its own environment."""
        return [line.replace(ANY, self.environment) for line in self.commands]

    @property
    def text(self) -> str:
        """All that follows the first line."""
        parts = (self.about, self.link, self.message, self.needs)
        lines = [line for line in parts if line]
        if self.commands:
            lines += ["", *self.acts]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A note for one channel that waits for others of its topic, to be told together.

    ``key`` says what happened and makes it unique. ``topic`` is what caused it;
    ``title`` is how that prints where several environments are told of. ``data`` are
    the event's own fields, for programs.
    """

    key: str
    channel: str
    topic: str
    title: str
    kind: str
    environment: EnvironmentId | None
    note: Note
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0
