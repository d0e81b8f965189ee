"""When those who may approve are told again that a step still waits for them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_wf.core.identifiers import StepName
from gitops_wf.core.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A reminder that is to come: of which step, and when."""

    step: StepName
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminders:
    """How often, and how many times at most; an interval of nothing is never."""

    interval: timedelta = timedelta(days=1)
    most: int = 7

    def next(self, run: Run) -> Coming | None:
        """Return the first that is to come for a run, if any.

        Counted from the last one, so that a daemon that was away for a week sends one.
        """
        if not self.interval or run.phase.is_final or run.ending is not None:
            return None
        coming = [
            Coming(step=step.name, at=since + self.interval)
            for step in run.waiting
            if step.reminders < self.most
            and (since := step.reminded or step.started) is not None
        ]
        return min(coming, key=lambda each: each.at, default=None)


NEVER = Reminders(interval=timedelta())
