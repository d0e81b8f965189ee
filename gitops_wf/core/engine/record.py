"""The run as it is after an event: checked by the table, nothing else changed."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.core.engine.events import (
    Asked,
    Began,
    Concluded,
    Ended,
    EndRequested,
    EngineEvent,
    Opened,
    Released,
    Reported,
)
from gitops_wf.core.engine.plan import places
from gitops_wf.core.engine.transitions import checked
from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.expressions import ExpressionError, Scope, parse
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import Ending, Run, StepRun
from gitops_wf.core.workflow import Backoff, Retry, Step

LOOK_AGAIN = timedelta(seconds=2)
"""The pause before a look where the runner names none."""

LONGEST_STEP = timedelta(hours=1)
"""The timeout of a step whose definition names none."""

LONGEST_APPROVAL = timedelta(days=30)
"""How long a gate waits for its approval."""

ERRORS = Retry(
    limit=10,
    backoff=Backoff(
        duration=timedelta(seconds=1), factor=2, max_duration=timedelta(minutes=1)
    ),
)
"""How often an error that may pass is tried again where a step says nothing.

KubeVela's ten, with its pauses; a Failed step is only tried again when it says so.
"""


def record(run: Run, event: EngineEvent) -> Run:
    """Return the run after an event.

    Errors: InvalidTransitionError where the event does not fit the run; the run
    that was given is a value and stays what it is.
    """
    if run.phase.is_final:
        raise InvalidTransitionError(f"{run.id} has ended: {event}")
    match event:
        case Ended():
            return _settle(_ended(run, event), event.at)
        case EndRequested():
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
            old = run.step(event.step)
            new = _step(run, old, event)
            checked(f"{run.id} {old.name}", old.phase, new.phase)
            return _settle(_with(run, new), event.at)


def _step(
    run: Run,
    step: StepRun,
    event: Asked | Began | Reported | Released | Opened | Concluded,
) -> StepRun:
    match event:
        case Asked():
            return _asked(step, event)
        case Began():
            return _began(run, step, event)
        case Reported():
            return _reported(run, step, event)
        case Released():
            return _released(step, event)
        case Opened():
            timeout = places(run.workflow)[step.name].step.timeout
            return replace(
                step,
                phase=Phase.RUNNING,
                started=event.at,
                deadline=None if timeout is None else event.at + timeout,
            )
        case Concluded():
            return _final(
                replace(step, reason=event.reason, message=event.message),
                event.phase,
                event.at,
            )


def _asked(step: StepRun, event: Asked) -> StepRun:
    if step.token or step.is_asked:
        raise InvalidTransitionError(f"{step.name} is asked for already")
    return replace(
        step, attempt=event.attempt, look=event.look, due=event.due, is_asked=True
    )


def _began(run: Run, step: StepRun, event: Began) -> StepRun:
    """A second worker takes over from the first: the newest token counts."""
    if not is_current(step, event.attempt, event.look):
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


def _reported(run: Run, step: StepRun, event: Reported) -> StepRun:
    if not event.token or step.token != event.token:
        raise InvalidTransitionError(f"{step.name}: a stale worker reported")
    definition = places(run.workflow)[step.name].step
    done = replace(
        step,
        token="",
        is_asked=False,
        due=None,
        reason=event.reason,
        message=event.message,
        memo=dict(event.memo) or step.memo,
    )
    match event.phase:
        case Phase.RUNNING:
            return replace(done, due=event.at + (event.retry_after or LOOK_AGAIN))
        case Phase.SUSPENDED:
            due = event.at + event.retry_after if event.retry_after else None
            is_gate = event.reason == Reason.APPROVAL_REQUIRED
            return replace(
                done,
                phase=Phase.SUSPENDED,
                due=due,
                deadline=event.at + LONGEST_APPROVAL if is_gate else done.deadline,
            )
        case Phase.SUCCEEDED:
            return _succeeded(done, definition, event)
        case Phase.FAILED | Phase.ERRORED:
            return _failed(run, done, definition, event)
        case Phase.PENDING | Phase.ABORTED | Phase.SKIPPED:
            raise InvalidTransitionError(f"{step.name} reported {event.phase}")


def _succeeded(step: StepRun, definition: Step, event: Reported) -> StepRun:
    outputs: dict[str, Any] = {}
    scope = Scope(roots=frozenset(event.outputs))
    for output in definition.outputs:
        try:
            expression = parse(output.value_from, scope=scope)
            outputs[output.name] = expression.evaluate(event.outputs)
        except ExpressionError as error:
            failed = replace(
                step,
                reason=Reason.INVALID_EXPRESSION,
                message=f"output {output.name}: {output.value_from}: {error}",
            )
            return _final(failed, Phase.FAILED, event.at)
    return _final(replace(step, outputs=outputs), Phase.SUCCEEDED, event.at)


def _failed(run: Run, step: StepRun, definition: Step, event: Reported) -> StepRun:
    failures = step.failures + 1
    retry = definition.retry
    if retry is None and event.phase is Phase.ERRORED:
        retry = ERRORS
    step = replace(step, failures=failures)
    may_go_on = not event.is_final and run.ending is None
    if retry is None or not may_go_on:
        reason = event.reason or Reason.STEP_FAILED
        return _final(replace(step, reason=reason), event.phase, event.at)
    if failures > retry.limit:
        return _final(
            replace(
                step,
                reason=Reason.RETRIES_EXHAUSTED,
                message=f"{event.message} (tried {failures} times)",
            ),
            event.phase,
            event.at,
        )
    pause = max(retry.backoff.pause(failures), event.retry_after or timedelta())
    return replace(
        step,
        phase=Phase.RUNNING,
        reason=Reason.RETRYING,
        message=f"{event.message}; try {failures + 1} of {retry.limit + 1}"
        f" in {pause.total_seconds():g}s",
        due=event.at + pause,
    )


def _released(step: StepRun, event: Released) -> StepRun:
    if step.phase is not Phase.SUSPENDED:
        raise InvalidTransitionError(f"{step.name} does not wait")
    by = (*step.released, *event.by)
    if step.reason == Reason.APPROVAL_REQUIRED:
        # A gate opened: the step itself has yet to be carried out, in its own time.
        return replace(
            step,
            phase=Phase.RUNNING,
            reason=Reason.RETRYING,
            message=event.message,
            released=by,
            due=event.at,
            deadline=None,
            started=None,
        )
    message = event.message
    return _final(
        replace(step, reason="", message=message, released=by),
        Phase.SUCCEEDED,
        event.at,
    )


def _final(step: StepRun, phase: Phase, at: datetime) -> StepRun:
    return replace(
        step,
        phase=phase,
        ended=at,
        due=None,
        deadline=None,
        is_asked=False,
        token="",
        memo={},
    )


def _with(run: Run, step: StepRun) -> Run:
    return replace(
        run, steps=tuple(step if s.name == step.name else s for s in run.steps)
    )


def _ended(run: Run, event: Ended) -> Run:
    checked(run.id, run.phase, event.phase)
    return replace(
        run,
        phase=event.phase,
        reason=event.reason,
        message=event.message,
        ended=event.at,
    )


def _settle(run: Run, at: datetime) -> Run:
    """Derive what follows from the steps: groups' phases, the run's, its clock."""
    table = places(run.workflow)
    for step in reversed(run.steps):
        is_open = step.phase is not Phase.PENDING and not step.phase.is_final
        if table[step.name].is_container and is_open:
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
