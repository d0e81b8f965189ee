"""Telling what happened: the event's row, and a message per subscribed channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_wf.core.environment import Subscription
from gitops_wf.core.event import Event
from gitops_wf.core.message import Delivery
from gitops_wf.core.notifications.events import event_message
from gitops_wf.core.revision import Revision
from gitops_wf.ports.executor import DeliveryWork, Executor
from gitops_wf.ports.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcer:
    """Writes events and their messages in the caller's transaction.

    ``channels`` and ``subscriptions`` are the daemon config's; an environment's own
    subscriptions come with its definition.
    """

    executor: Executor
    channels: Mapping[str, Mapping[str, Any]]
    subscriptions: tuple[Subscription, ...] = ()

    def announce(
        self, transaction: Transaction, event: Event, revision: Revision | None = None
    ) -> None:
        """Append the event, and ask for its messages to be sent."""
        transaction.add_event(event)
        if event.environment is None or revision is None:
            return
        definition = revision.environment_definition
        own = definition.notify if definition else ()
        wanted = dict.fromkeys(
            subscription.channel
            for subscription in (*self.subscriptions, *own)
            if event.kind in subscription.events
        )
        for name in wanted:
            channel = self.channels.get(name)
            if channel is None:
                continue  # the definition's check has told it already
            message = event_message(event, revision, name=name, channel=channel)
            self.post(
                transaction,
                Delivery(
                    key=_key(event, name),
                    environment=event.environment,
                    run=None,
                    step=None,
                    message=message,
                    created=event.at,
                ),
            )

    def post(self, transaction: Transaction, delivery: Delivery) -> None:
        """Write an outbox row and ask for its first try; a known key is left alone."""
        stored = transaction.save_delivery(delivery)
        if stored.tries == 0:
            self.executor.enqueue(
                transaction, DeliveryWork(delivery=stored.id, attempt=1)
            )


def _key(event: Event, channel: str) -> str:
    """By what happened, never by its text: durations in it would defeat it.

    What may happen to a revision again and again says by ``edge`` which time it is.
    """
    edge = f"{event.metadata[key]}/" if (key := "edge") in event.metadata else ""
    return (
        f"{event.environment}#{event.revision}/{event.run}/{event.step}/"
        f"{event.kind}/{edge}{channel}"
    )
