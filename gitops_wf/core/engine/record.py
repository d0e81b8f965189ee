"""The run as it is after an event: checked by the table, nothing else changed."""

from dataclasses import replace
from datetime import datetime

from gitops_wf.core.engine.deadlines import LONGEST_STEP
from gitops_wf.core.engine.events import (
    Asked,
    Began,
    Concluded,
    Ended,
    EndRequested,
    EngineEvent,
    Opened,
    Released,
    Reminded,
    Reported,
)
from gitops_wf.core.engine.plan import places
from gitops_wf.core.engine.report import finished, reported
from gitops_wf.core.engine.transitions import checked
from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.phases import HELD, Phase
from gitops_wf.core.run import Ending, Run, StepRun

_StepEvent = Asked | Began | Reported | Released | Reminded | Opened | Concluded


def record(run: Run, event: EngineEvent) -> Run:
    """Return the run after an event.

    Errors: InvalidTransitionError where the event does not fit the run; the run
    that was given is a value and stays what it is.
    """
    if run.phase.is_final:
        raise InvalidTransitionError(f"{run.id} has ended: {_name(event)}")
    match event:
        case Ended():
            return _settle(_ended(run, event), event.at)
        case EndRequested():
            if not event.phase.is_bad:
                raise InvalidTransitionError(f"{run.id} must end: {event.phase}")
            if run.ending is not None:
                return run
            ending = Ending(
                phase=event.phase,
                reason=event.reason,
                message=event.message,
                since=event.at,
            )
            return _settle(replace(run, ending=ending), event.at)
        case _:
            old = _open_step(run, event)
            new = _step(run, old, event)
            checked(f"{run.id} {old.name}", old.phase, new.phase)
            return _settle(_with(run, new), event.at)


def _open_step(run: Run, event: _StepEvent) -> StepRun:
    """Return the step that an event is about, if it may have such an event."""
    step = next((s for s in run.steps if s.name == event.step), None)
    if step is None:
        raise InvalidTransitionError(f"{run.id} has no step {event.step}")
    if step.phase.is_final:
        raise InvalidTransitionError(f"{run.id} {step.name} has ended: {_name(event)}")
    fits = step.is_container == isinstance(event, Opened)
    if not fits and not isinstance(event, Concluded):
        raise InvalidTransitionError(f"{run.id} {step.name} takes no {_name(event)}")
    return step


def _step(run: Run, step: StepRun, event: _StepEvent) -> StepRun:
    match event:
        case Asked():
            return _asked(step, event)
        case Began():
            return _began(run, step, event)
        case Reported():
            return reported(run, step, event)
        case Released():
            return _released(step, event)
        case Reminded():
            if not step.is_waiting_for_approval:
                raise InvalidTransitionError(f"{step.name} does not wait")
            return replace(step, reminders=step.reminders + 1, reminded=event.at)
        case Opened():
            return _opened(run, step, event)
        case Concluded():
            if not event.phase.is_final:
                raise InvalidTransitionError(f"{step.name} ends {event.phase}")
            return finished(
                replace(step, reason=event.reason, message=event.message),
                event.phase,
                event.at,
            )


def _opened(run: Run, step: StepRun, event: Opened) -> StepRun:
    """A group's own timeout starts; each of several targets has the step's instead."""
    if step.phase is not Phase.PENDING:
        raise InvalidTransitionError(f"{step.name} is open already")
    definition = places(run.workflow)[step.name].step
    timeout = definition.timeout if definition.is_group else None
    return replace(
        step,
        phase=Phase.RUNNING,
        started=event.at,
        deadline=None if timeout is None else event.at + timeout,
    )


def _asked(step: StepRun, event: Asked) -> StepRun:
    if step.token or step.is_asked:
        raise InvalidTransitionError(f"{step.name} is asked for already")
    if step.phase is Phase.SUSPENDED:
        raise InvalidTransitionError(f"{step.name} waits: nothing can be asked")
    if (event.attempt, event.look) <= (step.attempt, step.look):
        raise InvalidTransitionError(f"{step.name}: {event.attempt}.{event.look}")
    return replace(
        step, attempt=event.attempt, look=event.look, due=event.due, is_asked=True
    )


def _began(run: Run, step: StepRun, event: Began) -> StepRun:
    """A second worker takes over from the first: the newest token counts."""
    if not event.token or not is_current(step, event.attempt, event.look):
        raise InvalidTransitionError(f"{step.name}: {event.attempt}.{event.look}")
    definition = places(run.workflow)[step.name].step
    started = step.started or event.at
    return replace(
        step,
        phase=Phase.RUNNING,
        reason="" if event.look == 0 else step.reason,
        token=event.token,
        started=started,
        deadline=step.deadline or event.at + (definition.timeout or LONGEST_STEP),
    )


def is_current(step: StepRun, attempt: int, look: int) -> bool:
    """Whether this attempt or look is the one that was asked for last."""
    return (
        not step.phase.is_final
        and step.is_asked
        and (step.attempt, step.look) == (attempt, look)
    )


def _released(step: StepRun, event: Released) -> StepRun:
    if step.phase is not Phase.SUSPENDED:
        raise InvalidTransitionError(f"{step.name} does not wait")
    by = (*step.released, *event.by)
    if step.reason in HELD:
        # What held it is over: it has yet to be carried out, in its own time.
        return replace(
            step,
            phase=Phase.RUNNING,
            reason="",
            message=event.message,
            released=by,
            due=event.at,
            deadline=None,
            started=None,
            reminders=0,
            reminded=None,
        )
    message = event.message
    return finished(
        replace(step, reason="", message=message, released=by),
        Phase.SUCCEEDED,
        event.at,
    )


def _with(run: Run, step: StepRun) -> Run:
    return replace(
        run, steps=tuple(step if s.name == step.name else s for s in run.steps)
    )


def _ended(run: Run, event: Ended) -> Run:
    checked(run.id, run.phase, event.phase)
    if not event.phase.is_final or any(not s.phase.is_final for s in run.steps):
        raise InvalidTransitionError(f"{run.id} is not done: {_name(event)}")
    return replace(
        run,
        phase=event.phase,
        reason=event.reason,
        message=event.message,
        ended=event.at,
    )


def _settle(run: Run, at: datetime) -> Run:
    """Derive what follows from the steps: groups' phases, the run's, its clock."""
    for step in reversed(run.steps):
        is_open = step.phase is not Phase.PENDING and not step.phase.is_final
        if step.is_container and is_open:
            phase = _open_phase(run.children(step.name))
            if phase is not step.phase:
                run = _with(run, replace(step, phase=phase))
    phase = run.phase if run.phase.is_final else _run_phase(run)
    running = phase is Phase.RUNNING
    ran, since = run.ran, run.running_since
    if since is not None and not running:
        ran, since = ran + (at - since), None
    elif since is None and running:
        since = at
    started = run.started or (at if running else None)
    return replace(run, phase=phase, ran=ran, running_since=since, started=started)


def _open_phase(children: tuple[StepRun, ...]) -> Phase:
    """Suspended when all that has not ended waits, else Running."""
    open_children = [c for c in children if not c.phase.is_final]
    moving = any(c.phase is Phase.RUNNING or c.is_asked for c in open_children)
    waiting = any(c.phase is Phase.SUSPENDED for c in open_children)
    return Phase.SUSPENDED if waiting and not moving else Phase.RUNNING


def _run_phase(run: Run) -> Phase:
    top = tuple(step for step in run.steps if step.parent is None)
    if all(s.phase is Phase.PENDING and not s.is_asked for s in top):
        return Phase.PENDING
    return _open_phase(top) if run.ending is None else Phase.RUNNING


def _name(event: EngineEvent) -> str:
    return type(event).__name__
