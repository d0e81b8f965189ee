"""A run whose times lie ahead, as the clock was set back after they were stored."""

from dataclasses import replace
from datetime import datetime, timedelta

from gitops_wf.core.run import Run, StepRun


def anchored(run: Run, now: datetime) -> Run:
    """Return the run with what began later than now beginning now.

    Its limits keep their distance: nothing ends early, and nothing waits until the
    clock has come again to where it was. Else returns the run that was given.
    """
    steps = tuple(_anchored(step, now) for step in run.steps)
    since, ending = run.running_since, run.ending
    if since is not None and since > now:
        since = now
    if ending is not None and ending.since > now:
        ending = replace(ending, since=now)
    if steps == run.steps and (since, ending) == (run.running_since, run.ending):
        return run
    return replace(run, steps=steps, running_since=since, ending=ending)


def _anchored(step: StepRun, now: datetime) -> StepRun:
    if step.phase.is_final or step.started is None or step.started <= now:
        return step
    ahead = step.started - now
    return replace(
        step,
        started=now,
        due=_earlier(step.due, ahead),
        deadline=_earlier(step.deadline, ahead),
    )


def _earlier(moment: datetime | None, span: timedelta) -> datetime | None:
    return None if moment is None else moment - span
