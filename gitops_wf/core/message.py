"""A message to people or machines outside, as the outbox keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gitops_wf.core.identifiers import EnvironmentId, RunId, StepName
from gitops_wf.core.pacing import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message for one channel.

    ``item`` names it within its step or event and makes it unique;
    ``channel`` says how to send it (kind, references to secrets, recipients),
    ``payload`` what to send. No secret's value ever stands in either.
    """

    item: str
    kind: str
    channel: Mapping[str, Any]
    payload: Mapping[str, Any]


class DeliveryPhase(StrEnum):
    """Where a message stands."""

    PENDING = "Pending"
    SENT = "Sent"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An outbox row: a message, whom it is for, and how sending it went.

    ``key`` is the idempotency key. ``environment`` is whose it is; one about several
    environments, or about none, has none. ``tries`` counts the sends begun, those
    included that only found the receiver's limit: ``limited`` of them, which use up
    nothing. ``since`` is when the message could first have been sent, limits aside.
    ``turn`` is when it may be sent next; ``is_waiting`` says that the next try was
    asked for already.
    """

    id: int = 0
    key: str
    environment: EnvironmentId | None
    run: RunId | None
    step: StepName | None
    message: Message
    phase: DeliveryPhase = DeliveryPhase.PENDING
    tries: int = 0
    limited: int = 0
    detail: str = ""
    created: datetime
    since: datetime | None = None
    turn: Turn | None = None
    is_waiting: bool = False
    ended: datetime | None = None

    @property
    def spent(self) -> int:
        """How many of the tries that it may have are used up."""
        return self.tries - self.limited
