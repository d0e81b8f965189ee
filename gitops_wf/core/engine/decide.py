"""What follows by itself, now: work to ask for, steps to conclude, the run's end.

Theory of operation. A step that is being carried out (it has a token) is left
alone: its report comes, or the queue begins it again. Any other step that has not
ended is exactly one of: asked for, due to be asked for, waiting for a decision with
a deadline, waiting for other steps, or concluded here. A run that must end
concludes all that may be cut short (health waits, back-offs, approvals), still
carries out its ``if: always`` steps, and gives up after ``final_timeout``.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from gitops_wf.core.durations import format_duration
from gitops_wf.core.engine.conditions import Answer, verdict
from gitops_wf.core.engine.deadlines import LONGEST_STEP, limits_in, running_limit
from gitops_wf.core.engine.events import (
    Asked,
    Concluded,
    Ended,
    EndRequested,
    EngineEvent,
    Opened,
    Released,
)
from gitops_wf.core.engine.outcome import group_outcome, outcome
from gitops_wf.core.engine.plan import Place, is_always, places
from gitops_wf.core.engine.record import record
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import Run, StepRun

_MOST_ROUNDS = 10_000


def advance(run: Run, now: datetime) -> tuple[Run, tuple[Asked, ...]]:
    """Record all that follows by itself; return the run and the work to enqueue."""
    asked: list[Asked] = []
    for _ in range(_MOST_ROUNDS):
        event = next(decide(run, now), None)
        if event is None:
            return run, tuple(asked)
        run = record(run, event)
        if isinstance(event, Asked):
            asked.append(event)
    raise AssertionError(f"{run.id} does not settle")


def decide(run: Run, now: datetime) -> Iterator[EngineEvent]:
    """Yield what follows now; record the first before asking for more."""
    if run.phase.is_final:
        return
    if run.ending is None and (limit := running_limit(run)) and limit <= now:
        yield EndRequested(
            phase=Phase.FAILED,
            reason=Reason.TIMEOUT,
            message=f"not done after {_span(run.workflow.timeout)} of running time",
            at=now,
        )
        return
    table = places(run.workflow)
    for step in run.steps:
        if not step.phase.is_final:
            yield from _step(run, step, table[step.name], now)
    if all(step.phase.is_final for step in run.steps):
        phase, reason, message = outcome(run)
        yield Ended(phase=phase, reason=reason, message=message, at=now)


def _step(
    run: Run, step: StepRun, place: Place, now: datetime
) -> Iterator[EngineEvent]:
    if place.is_container:
        children = run.children(step.name)
        if step.phase is not Phase.PENDING and all(c.phase.is_final for c in children):
            phase, reason, message = group_outcome(children)
            yield _conclude(step, phase, reason, message, now)
            return
    if run.ending is not None:
        if run.ending.since + run.workflow.final_timeout <= now:
            yield _conclude(
                step,
                Phase.ABORTED,
                Reason.FINAL_TIMEOUT,
                f"still not done {_span(run.workflow.final_timeout)} after the run had"
                f" to end ({run.ending.reason})",
                now,
            )
            return
        if not (step.token or place.is_container or _goes_on(run, step)):
            yield _cut_short(run, step, now)
            return
    if step.token:
        return
    if step.phase is Phase.PENDING:
        yield from _begin(run, step, place, now)
    elif place.is_container:
        yield from _group_timed_out(run, step, place, now)
    elif _waited_long_enough(step, now):
        yield Released(step=step.name, at=now, message="the waiting time is over")
    elif step.deadline is not None and step.deadline <= now:
        yield _timed_out(step, place, now)
    elif step.phase is Phase.RUNNING and not step.is_asked and step.due is not None:
        # What has not started is a step whose gate opened.
        again = step.reason == Reason.RETRYING or step.started is None
        yield Asked(
            step=step.name,
            attempt=step.attempt + 1 if again else step.attempt,
            look=0 if again else step.look + 1,
            due=step.due,
            at=now,
        )


def _waited_long_enough(step: StepRun, now: datetime) -> bool:
    """Whether a suspended step goes on by itself, and did so before its deadline."""
    if step.phase is not Phase.SUSPENDED or step.due is None:
        return False
    return step.due <= min(now, step.deadline or now)


def _goes_on(run: Run, step: StepRun) -> bool:
    """Whether a step is still carried out in a run that has to end.

    Those with ``if: always`` are, and what stands in a group that has it; but nobody
    is asked for an approval any more.
    """
    return step.phase is not Phase.SUSPENDED and is_always(run.workflow, step.name)


def _cut_short(run: Run, step: StepRun, now: datetime) -> Concluded:
    assert run.ending is not None
    if step.started is None:
        message = f"the run ended before it: {run.ending.message}"
        return _conclude(step, Phase.SKIPPED, run.ending.reason, message, now)
    return _conclude(step, Phase.ABORTED, run.ending.reason, run.ending.message, now)


def _begin(
    run: Run, step: StepRun, place: Place, now: datetime
) -> Iterator[EngineEvent]:
    if place.parent is not None:
        parent = run.step(place.parent)
        if parent.phase.is_final:
            yield _conclude(
                step,
                Phase.SKIPPED,
                Reason.GROUP_SKIPPED,
                f"{parent.name} ended {parent.phase}",
                now,
            )
            return
        if parent.phase is Phase.PENDING:
            return
    if step.is_asked:
        return
    if run.ending is not None and not _goes_on(run, step):
        # A container that has not begun; other steps were cut short before.
        yield _cut_short(run, step, now)
        return
    answer = verdict(run, step)
    match answer.answer:
        case Answer.WAIT:
            return
        case Answer.SKIP:
            yield _conclude(step, Phase.SKIPPED, answer.reason, answer.message, now)
        case Answer.FAIL:
            yield _conclude(step, Phase.FAILED, answer.reason, answer.message, now)
        case Answer.GO:
            if place.is_container:
                yield Opened(step=step.name, at=now)
            else:
                yield Asked(step=step.name, attempt=1, look=0, due=now, at=now)


def _timed_out(step: StepRun, place: Place, now: datetime) -> Concluded:
    if step.is_waiting_for_approval:
        message = f"nobody decided in time: {step.message}"
    else:
        limit = _span(place.step.timeout or LONGEST_STEP)
        message = f"not done after {limit}: {step.message}"
    return _conclude(step, _late(step), Reason.TIMEOUT, message, now)


def _late(step: StepRun) -> Phase:
    """Return how a step ends whose time is over: not to know is not a no."""
    return Phase.ERRORED if step.is_unknown else Phase.FAILED


def _group_timed_out(
    run: Run, group: StepRun, place: Place, now: datetime
) -> Iterator[EngineEvent]:
    """Fail everything that the group's deadline ends now."""
    for child, limit in limits_in(run, group):
        if limit <= now:
            what = f"{group.name} was not done after {_span(place.step.timeout)}"
            message = f"{what}: {child.message}" if child.message else what
            yield _conclude(child, _late(child), Reason.TIMEOUT, message, now)


def _conclude(
    step: StepRun, phase: Phase, reason: str, message: str, now: datetime
) -> Concluded:
    return Concluded(
        step=step.name, phase=phase, reason=reason, message=message, at=now
    )


def _span(duration: timedelta | None) -> str:
    return format_duration(duration or timedelta())
