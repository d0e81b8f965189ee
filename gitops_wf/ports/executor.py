"""The durable queue that carries out attempts, looks and deliveries."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gitops_wf.core.errors import TransientError
from gitops_wf.core.identifiers import EnvironmentId, RunId, StepName, TargetName
from gitops_wf.ports.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptWork:
    """One attempt (look 0) or look of a step; begun ``delay`` after the commit."""

    environment: EnvironmentId
    run: RunId
    step: StepName
    attempt: int
    look: int
    target: TargetName | None
    delay: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryWork:
    """One try to send an outbox row's message."""

    delivery: int
    attempt: int
    delay: timedelta = timedelta()


Work = AttemptWork | DeliveryWork


class PostponedError(TransientError):
    """It is not the time for work yet: nothing was tried, so nothing has failed."""


class Executor(Protocol):
    """Carries out work at least once; only ids pass through it.

    Work enqueued in a transaction exists if, and only if, that commits. What was
    begun when the process died is begun again; the fencing token in our own rows
    makes the repetition harmless. The same work enqueued again is carried out once.
    """

    def enqueue(self, transaction: Transaction, work: Work) -> None:
        """Ask for work, in the caller's transaction."""

    def start(self, carry_out: Callable[[Work], None]) -> None:
        """Begin to carry out work, what an earlier process left behind included.

        Where ``carry_out`` raises, the error is logged and the work is begun again
        after a pause that grows, or the one that a TransientError asks for. That of a
        PostponedError is as asked, and no error.
        """

    def stop(self) -> None:
        """Take no new work, let what runs end, and return within seconds.

        What has not ended by then is begun again by the next process.
        """

    def recount_delays(self) -> int:
        """Let no delay have longer to go than it was asked for; return how many had.

        To be called when the clock was set back.
        """

    def forget_finished(self, before: datetime, *, limit: int) -> int:
        """Forget some of the work that ended before; return how much it was."""
