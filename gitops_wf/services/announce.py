"""Telling what happened: the event's row, and what each subscribed channel is told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gitops_wf.core.environment import Subscription
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import RepositoryName, repository_name
from gitops_wf.core.links import commit_link
from gitops_wf.core.message import Delivery
from gitops_wf.core.notifications.events import event_data, event_note
from gitops_wf.core.notifications.notices import Notice
from gitops_wf.core.revision import Revision
from gitops_wf.ports.executor import DeliveryWork, Executor
from gitops_wf.ports.store import Reader, Transaction
from gitops_wf.services.gather import notices_message

_OF_TARGETS = frozenset({"targetUnreachable", "targetRecovered"})
"""What several targets may have in common, such as the network before them."""

_OF_RELEASES = frozenset({"drift", "healed", "renewed", "degraded", "recovered"})
"""What one cause does to many releases, whichever commits those are of."""

_SHORT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcer:
    """Writes events, and what is told of them, in the caller's transaction.

    ``channels`` and ``subscriptions`` are the daemon config's; an environment's own
    subscriptions come with its definition. What one commit causes is gathered for a
    ``window`` (`services/gather`); without one, and to programs, each event is a
    message of its own at once. Without an ``executor``, beside the daemon, that too is
    left to be gathered. ``commits`` are the addresses of repositories' commits.
    """

    executor: Executor | None
    channels: Mapping[str, Mapping[str, Any]]
    subscriptions: tuple[Subscription, ...] = ()
    window: timedelta = timedelta()
    commits: Mapping[RepositoryName, str] = field(default_factory=dict)

    def announce(
        self, transaction: Transaction, event: Event, revision: Revision | None = None
    ) -> None:
        """Append the event, and ask for its messages to be sent."""
        transaction.add_event(event)
        if not self.channels:
            return
        for name in self._subscribed(transaction, event, revision):
            channel = self.channels.get(name)
            if channel is None:
                continue  # the definition's check has told it already
            notice = self._notice(event, revision, name, channel)
            is_single = channel.get("type") == "webhook" or not self.window
            if self.executor is not None and is_single:
                self.post(
                    transaction,
                    Delivery(
                        key=notice.key,
                        environment=event.environment,
                        run=None,
                        step=None,
                        message=notices_message([notice], channel),
                        created=event.at,
                    ),
                )
            else:
                transaction.save_notice(notice)

    def post(self, transaction: Transaction, delivery: Delivery) -> None:
        """Write an outbox row and ask for its first try; a known key is left alone."""
        assert self.executor is not None
        stored = transaction.save_delivery(delivery)
        if stored.tries == 0:
            self.executor.enqueue(
                transaction, DeliveryWork(delivery=stored.id, attempt=1)
            )

    def _subscribed(
        self, reader: Reader, event: Event, revision: Revision | None
    ) -> Iterator[str]:
        """Yield each channel that is told of it, once."""
        definition = revision.environment_definition if revision else None
        if definition is None and event.environment is not None:
            record = reader.environment(event.environment)
            definition = record.definition if record else None
        own = definition.notify if definition else ()
        yield from dict.fromkeys(
            subscription.channel
            for subscription in (*self.subscriptions, *own)
            if subscription.takes(event.kind)
        )

    def _notice(
        self,
        event: Event,
        revision: Revision | None,
        name: str,
        channel: Mapping[str, Any],
    ) -> Notice:
        key = _key(event, name)
        repository = event.repository
        if event.environment is not None:
            repository = repository_name(event.environment)
        link = ""
        if revision is not None and repository is not None:
            link = commit_link(self.commits.get(repository, ""), revision.commit)
        whole = "targets" if event.kind in _OF_TARGETS else "daemon"
        topic = title = repository or whole
        if channel.get("type") == "webhook":
            topic = key  # programs read one event at a time
        elif event.kind in _OF_RELEASES:
            topic = f"{topic} releases"
        elif revision is not None:
            topic = f"{topic} {revision.commit}"
            title = f"{title} {revision.commit[:_SHORT]}"
        return Notice(
            key=key,
            channel=name,
            topic=topic,
            title=title,
            kind=event.kind,
            environment=event.environment,
            note=event_note(event, revision, link=link),
            at=event.at,
            data=event_data(event, revision, link),
        )


def _key(event: Event, channel: str) -> str:
    """By what happened, never by its text: durations in it would defeat it.

    What may happen to a revision again and again says by ``edge`` which time it is;
    what is about no revision happens when it does.
    """
    edge = event.metadata.get("edge", "")
    if event.revision is None and not edge:
        edge = event.at.isoformat()
    target = event.metadata.get("target") or ""
    return "/".join(
        (
            f"{event.environment or event.repository or ''}#{event.revision}",
            event.run,
            event.step,
            event.kind,
            str(edge),
            str(target),
            channel,
        )
    )
