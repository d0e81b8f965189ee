"""Gathering what one cause has to say into one message per channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from gitops_wf.core.event import Event, EventType
from gitops_wf.core.message import Delivery, Message
from gitops_wf.core.notifications.channels import message_to_channel
from gitops_wf.core.notifications.notices import Notice
from gitops_wf.core.notifications.together import together
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.executor import DeliveryWork, Executor
from gitops_wf.ports.store import OpenTopic, Store, Transaction

LONGEST = 3
"""So many windows is a note held at most, while others of its topic keep coming."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Makes messages of the notices that wait, in a transaction for each topic.

    A notice is stored with what it tells of, and a message with the mark on its
    notices: a process may die anywhere in between, and each is told once.
    """

    store: Store
    clock: Clock
    executor: Executor
    channels: Mapping[str, Mapping[str, Any]]
    window: timedelta

    def act(self) -> datetime | None:
        """Tell what has waited long enough; return when the next has."""
        with self.store.read() as reader:
            topics = reader.open_topics()
        now = self.clock.now()
        waiting = []
        for topic in topics:
            due = self._due(topic)
            if due > now:
                waiting.append(due)
            else:
                with self.store.transaction() as transaction:
                    self._tell(transaction, topic.topic, now)
        return min(waiting, default=None)

    def _due(self, topic: OpenTopic) -> datetime:
        quiet = topic.last + self.window
        return min(quiet, topic.first + LONGEST * self.window)

    def _tell(self, transaction: Transaction, topic: str, now: datetime) -> None:
        notices = transaction.take_notices(topic)
        if not notices:
            return  # another replica was faster
        first, last = notices[0], notices[-1]
        channel = self.channels.get(first.channel)
        if channel is None:
            transaction.tell_notices(notices, 0)
            transaction.add_event(_untold(first.channel, len(notices), now))
            log.warning("notice.dropped", channel=first.channel, count=len(notices))
            return
        whose = {notice.environment for notice in notices}
        stored = transaction.save_delivery(
            Delivery(
                key=first.key if first is last else f"{first.key} to {last.key}",
                environment=whose.pop() if len(whose) == 1 else None,
                run=None,
                step=None,
                message=notices_message(notices, channel),
                created=now,
            )
        )
        transaction.tell_notices(notices, stored.id)
        if stored.tries == 0:
            self.executor.enqueue(
                transaction, DeliveryWork(delivery=stored.id, attempt=1)
            )


def notices_message(notices: Sequence[Notice], channel: Mapping[str, Any]) -> Message:
    """Return the message that says all of them to their channel."""
    name = notices[0].channel
    subject, text = together([n.note for n in notices], notices[0].title)
    kinds = dict.fromkeys(notice.kind for notice in notices)
    return message_to_channel(
        {name: channel},
        name,
        subject=subject,
        text=text,
        item=f"{'+'.join(kinds)}/{name}",
        data={"event": notices[0].data},  # programs are told one event at a time
    )


def _untold(channel: str, count: int, now: datetime) -> Event:
    return Event(
        at=now,
        kind="notDelivered",
        reason="ChannelNotConfigured",
        message=f"{count} event(s) are not told to channel {channel}: it is no longer"
        " in the daemon config",
        type=EventType.WARNING,
    )
