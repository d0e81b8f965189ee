"""A message to people or machines outside, as the outbox keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gitops_wf.core.identifiers import EnvironmentId, RunId, StepName


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

    ``key`` is the idempotency key; ``tries`` counts the sends begun. ``environment`` is
    whose it is; one about several environments, or about none, has none.
    """

    id: int = 0
    key: str
    environment: EnvironmentId | None
    run: RunId | None
    step: StepName | None
    message: Message
    phase: DeliveryPhase = DeliveryPhase.PENDING
    tries: int = 0
    detail: str = ""
    created: datetime
    ended: datetime | None = None
