"""Work as it stands in the queue: ids only, never properties or secrets."""

from dataclasses import dataclass, replace
from typing import Any

from gitops_wf.ports.executor import AttemptWork, DeliveryWork, Work

TARGETS = "targets"
"""The queue of what writes to a target; partitioned, so each has its own limit."""

OUTSIDE = "outside"
"""The queue of everything else. DBOS never runs partitioned work without a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Work in the queue, how often it was put back, and after how many errors."""

    work: Work
    returns: int = 0
    failures: int = 0

    @property
    def id(self) -> str:
        """What makes an enqueue of it the same as an earlier one."""
        match self.work:
            case AttemptWork(run=run, step=step, attempt=attempt, look=look):
                name = f"{run}/{step}/{attempt}.{look}"
            case DeliveryWork(delivery=delivery, attempt=attempt):
                name = f"delivery/{delivery}/{attempt}"
        return f"{name}~{self.returns}" if self.returns else name

    @property
    def queue(self) -> str:
        """The queue that it belongs to."""
        return OUTSIDE if self.target is None else TARGETS

    @property
    def target(self) -> str | None:
        """The target whose limit it counts for."""
        return self.work.target if isinstance(self.work, AttemptWork) else None

    def put_back(self, *, after_error: bool) -> "Queued":
        """Return the same work as a new entry."""
        failures = self.failures + 1 if after_error else self.failures
        return replace(self, returns=self.returns + 1, failures=failures)


def to_arguments(queued: Queued, delay: float = 0) -> dict[str, Any]:
    """Return what DBOS keeps, as JSON; the delay in seconds, as it was asked for."""
    work = queued.work
    again = {
        "returns": queued.returns,
        "failures": queued.failures,
        "delay": max(delay, 0),
    }
    match work:
        case AttemptWork():
            return {
                "environment": work.environment,
                "run": work.run,
                "step": work.step,
                "attempt": work.attempt,
                "look": work.look,
                "target": work.target,
                **again,
            }
        case DeliveryWork():
            return {"delivery": work.delivery, "attempt": work.attempt, **again}


def from_arguments(arguments: dict[str, Any]) -> Queued:
    """Return the work that DBOS kept; its delay has passed."""
    fields = dict(arguments)
    del fields["delay"]
    returns, failures = fields.pop("returns"), fields.pop("failures")
    work: Work = (
        DeliveryWork(**fields) if "delivery" in fields else AttemptWork(**fields)
    )
    return Queued(work=work, returns=returns, failures=failures)


def delay_of(arguments: Any) -> float:
    """Return the delay that was asked for, in seconds, of a workflow's arguments."""
    return float(arguments["args"][0]["delay"])
