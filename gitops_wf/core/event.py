"""Something that happened to an environment, for people, in the order it did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from gitops_wf.core.identifiers import EnvironmentId, RepositoryName


class EventType(StrEnum):
    """Whether somebody should look."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of an environment's or a repository's history.

    ``kind`` is what subscriptions name: created, suspended, approved, rejected,
    failed, succeeded, rolledBack, superseded, removed, drift, degraded, …
    ``metadata`` holds ``target`` where it is about one, and ``edge`` where the same
    may happen to a revision again: another value each time.
    """

    at: datetime
    kind: str
    reason: str
    message: str
    type: EventType = EventType.NORMAL
    environment: EnvironmentId | None = None
    repository: RepositoryName | None = None
    revision: int | None = None
    run: str = ""
    step: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0
