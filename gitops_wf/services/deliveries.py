"""Carrying out one try of an outbox row: count it, send it, record what came."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from gitops_wf.core.event import Event, EventType
from gitops_wf.core.message import Delivery, DeliveryPhase
from gitops_wf.core.notifications.verdict import Refused, RetryIn, Sent, Verdict
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.executor import DeliveryWork, Executor
from gitops_wf.ports.store import Store, Transaction
from gitops_wf.services.watched_store import Recorder

log = structlog.get_logger()


class Sender(Protocol):
    """Sends a message, once."""

    def send(self, delivery: Delivery, now: datetime) -> Verdict:
        """Send it and judge the answer; raises nothing for what may happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Carries out deliveries."""

    store: Store
    clock: Clock
    executor: Executor
    sender: Sender
    recorder: Recorder

    def carry_out(self, work: DeliveryWork) -> None:
        """Send the message, unless it was sent or another try was begun since."""
        with self.store.transaction() as transaction:
            delivery = transaction.delivery(work.delivery)
            if delivery is None or delivery.phase is not DeliveryPhase.PENDING:
                return
            # A try that was begun and never recorded is begun again under its own
            # number: the one duplicate that a kill between answer and record costs.
            if delivery.tries not in {work.attempt - 1, work.attempt}:
                return
            delivery = replace(delivery, tries=work.attempt)
            transaction.save_delivery(delivery)
        verdict = self.sender.send(delivery, self.clock.now())
        self.recorder.insist(lambda: self._record(work, verdict))
        about = log.bind(
            environment=delivery.environment or "",
            run=delivery.run or "",
            step=delivery.step or "",
            key=delivery.key,
            kind=delivery.message.kind,
            attempt=work.attempt,
        )
        match verdict:
            case Sent():
                about.info("delivery.sent", detail=verdict.detail)
            case RetryIn():
                about.info("delivery.postponed", cause=verdict.detail)
            case Refused():
                about.warning("delivery.refused", cause=verdict.detail)

    def _record(self, work: DeliveryWork, verdict: Verdict) -> None:
        with self.store.transaction() as transaction:
            delivery = transaction.delivery(work.delivery)
            assert delivery is not None
            is_open = delivery.phase is DeliveryPhase.PENDING
            if is_open and delivery.tries == work.attempt:
                self._judge(transaction, work, delivery, verdict)

    def _judge(
        self,
        transaction: Transaction,
        work: DeliveryWork,
        delivery: Delivery,
        verdict: Verdict,
    ) -> None:
        now = self.clock.now()
        tried = replace(delivery, detail=verdict.detail)
        match verdict:
            case Sent():
                tried = replace(tried, phase=DeliveryPhase.SENT, ended=now)
            case RetryIn():
                again = DeliveryWork(
                    delivery=delivery.id,
                    attempt=work.attempt + 1,
                    delay=verdict.after or timedelta(),
                )
                self.executor.enqueue(transaction, again)
            case Refused():
                tried = replace(tried, phase=DeliveryPhase.FAILED, ended=now)
                transaction.add_event(_undelivered(tried, now))
        transaction.save_delivery(tried)


def _undelivered(delivery: Delivery, now: datetime) -> Event:
    name = delivery.message.channel.get("name") or delivery.message.kind
    tries = "1 try" if delivery.tries == 1 else f"{delivery.tries} tries"
    return Event(
        at=now,
        kind="notDelivered",
        reason="NotDelivered",
        message=(f"message to {name} was given up after {tries}: {delivery.detail}"),
        type=EventType.WARNING,
        environment=delivery.environment,
        run=delivery.run or "",
        step=delivery.step or "",
    )
