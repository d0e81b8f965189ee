"""Carrying out one try of an outbox row: count it, send it, record what came.

Before it is sent a message takes its receiver's turn, and waits for it where it comes
too soon; a receiver that says so itself is left alone for as long as it asks. Both use
up none of the message's tries.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from gitops_wf.core.event import Event, EventType
from gitops_wf.core.message import Delivery, DeliveryPhase, Message
from gitops_wf.core.notifications.verdict import Refused, RetryIn, Sent, Verdict
from gitops_wf.core.pacing import RATES, Turn
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.executor import DeliveryWork, Executor
from gitops_wf.ports.store import Store, Transaction
from gitops_wf.services.watched_store import Recorder

log = structlog.get_logger()


class Sender(Protocol):
    """Sends a message, once."""

    def receiver(self, message: Message) -> str:
        """Return which receiver it goes to: those with one receiver share its limit."""

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
        delivery = self._begin(work)
        if delivery is None:
            return
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

    def _begin(self, work: DeliveryWork) -> Delivery | None:
        """Count the try; None where there is nothing to send, or not yet."""
        with self.store.transaction() as transaction:
            delivery = transaction.delivery(work.delivery)
            if delivery is None or delivery.phase is not DeliveryPhase.PENDING:
                return None
            # A try that was begun and never recorded is begun again under its own
            # number: the one duplicate that a kill between answer and record costs.
            last = work.attempt - 1 if delivery.is_waiting else work.attempt
            if delivery.tries not in {work.attempt - 1, last}:
                return None
            now = self.clock.now()
            turn = self._turn(transaction, delivery, now)
            begun = replace(delivery, tries=work.attempt, turn=turn, is_waiting=False)
            if turn.at > now:
                detail = f"waits for its turn at {_clock(turn.at)}"
                self._wait(transaction, replace(begun, detail=detail), turn, now)
                return None
            transaction.save_delivery(begun)
            return begun

    def _turn(
        self, transaction: Transaction, delivery: Delivery, now: datetime
    ) -> Turn:
        """Return the message's turn, a new one where it has none that holds."""
        receiver = self.sender.receiver(delivery.message)
        rate = RATES.get(delivery.message.kind)
        pace = transaction.pace(receiver)
        if delivery.turn is not None and pace.holds(delivery.turn):
            return delivery.turn
        turn, after = pace.taken(rate, now)
        if after != pace:
            transaction.save_pace(receiver, after, now)
        return turn

    def _wait(
        self, transaction: Transaction, delivery: Delivery, turn: Turn, now: datetime
    ) -> None:
        """Let a message wait for its turn, under the next number."""
        waiting = replace(
            delivery,
            turn=turn,
            is_waiting=True,
            limited=delivery.limited + 1,
            since=turn.at,
        )
        transaction.save_delivery(waiting)
        self.executor.enqueue(
            transaction,
            DeliveryWork(
                delivery=delivery.id,
                attempt=delivery.tries + 1,
                delay=turn.at - now,
            ),
        )

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
            case RetryIn() if verdict.is_limit:
                until = now + (verdict.after or timedelta())
                receiver = self.sender.receiver(delivery.message)
                pace = transaction.pace(receiver).paused(until, now)
                rate = RATES.get(delivery.message.kind)
                turn, pace = pace.taken(rate, now)
                transaction.save_pace(receiver, pace, now)
                self._wait(transaction, tried, turn, now)
                return
            case RetryIn():
                again = DeliveryWork(
                    delivery=delivery.id,
                    attempt=work.attempt + 1,
                    delay=verdict.after or timedelta(),
                )
                # It takes a turn again: others had theirs meanwhile.
                tried = replace(tried, turn=None, is_waiting=True)
                self.executor.enqueue(transaction, again)
            case Refused():
                tried = replace(tried, phase=DeliveryPhase.FAILED, ended=now)
                transaction.add_event(_undelivered(tried, now))
        transaction.save_delivery(tried)


def _clock(at: datetime) -> str:
    return at.strftime("%H:%M:%S UTC")


def _undelivered(delivery: Delivery, now: datetime) -> Event:
    name = delivery.message.channel.get("name") or delivery.message.kind
    tries = "1 try" if delivery.spent == 1 else f"{delivery.spent} tries"
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
