"""When those who may approve are told again that a step still waits for them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_wf.core.identifiers import StepName
from gitops_wf.core.run import Remind, Run, StepRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A reminder that is to come: of which step, and when."""

    step: StepName
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminders:
    """How often, and how many times at most; an interval of nothing is never.

    ``after`` is until the first; None is the interval.
    """

    interval: timedelta = timedelta(days=1)
    most: int = 7
    after: timedelta | None = None

    def next(self, run: Run) -> Coming | None:
        """Return the first that is to come for a run, if any; a step's own word counts.

        Counted from the last one, so that a daemon that was away for a week sends one.
        """
        if run.phase.is_final or run.ending is not None:
            return None
        coming = [
            Coming(step=step.name, at=at)
            for step in run.waiting
            if (at := _next(self._under(step.remind), step)) is not None
        ]
        return min(coming, key=lambda each: each.at, default=None)

    def _under(self, own: Remind | None) -> "Reminders":
        """Return what holds for a step; one that says when is told of in any case."""
        if own is None:
            return self
        return Reminders(
            interval=own.interval or self.interval or own.after or timedelta(),
            most=self.most if own.most is None else own.most,
            after=own.after,
        )


def _next(reminders: Reminders, step: StepRun) -> datetime | None:
    """Return when a step that waits is told of next, if ever."""
    interval, is_done = reminders.interval, step.reminders >= reminders.most
    if not interval or is_done or step.started is None:
        return None
    if step.reminded is not None:
        return step.reminded + interval
    return step.started + (reminders.after or interval)


NEVER = Reminders(interval=timedelta())
