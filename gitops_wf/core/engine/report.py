"""What a worker's report makes of its step: go on, wait, try again, or the end."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.core.engine.deadlines import LONGEST_APPROVAL
from gitops_wf.core.engine.events import Reported
from gitops_wf.core.engine.plan import is_always, places
from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.expressions import ExpressionError, Scope, parse
from gitops_wf.core.phases import HELD, Phase, Reason
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.workflow import Backoff, Retry, Step

LOOK_AGAIN = timedelta(seconds=2)
"""The pause before a look where the runner names none."""

ERRORS = Retry(
    limit=10,
    backoff=Backoff(
        duration=timedelta(seconds=1), factor=2, max_duration=timedelta(minutes=1)
    ),
)
"""How often an error that may pass is tried again where a step says nothing.

KubeVela's ten, with its pauses; a Failed step is only tried again when it says so.
"""


def reported(run: Run, step: StepRun, event: Reported) -> StepRun:
    """Return the step after a report; only the holder of its token is heard."""
    if not event.token or step.token != event.token:
        raise InvalidTransitionError(f"{step.name}: a stale worker reported")
    definition = places(run.workflow)[step.name].step
    done = replace(
        step,
        token="",
        is_asked=False,
        due=None,
        is_unknown=event.phase is Phase.ERRORED
        or event.reason == Reason.EXECUTION_ERROR,
        reason=event.reason,
        message=event.message,
        memo=dict(event.memo) or step.memo,
        objects=event.objects or step.objects,
        digest=event.digest or step.digest,
        remind=event.remind,
    )
    match event.phase:
        case Phase.RUNNING:
            # The word for a new try is the engine's: a runner's own means a look.
            reason = "" if event.reason == Reason.RETRYING else event.reason
            due = event.at + (event.retry_after or LOOK_AGAIN)
            return replace(done, reason=reason, due=due)
        case Phase.SUSPENDED:
            due_by_itself = event.at + event.retry_after if event.retry_after else None
            return replace(
                done,
                phase=Phase.SUSPENDED,
                due=due_by_itself,
                deadline=_deadline_of_a_wait(done, event),
            )
        case Phase.SUCCEEDED:
            return _succeeded(done, definition, event)
        case Phase.FAILED | Phase.ERRORED:
            return _failed(run, done, definition, event)
        case Phase.PENDING | Phase.ABORTED | Phase.SKIPPED:
            raise InvalidTransitionError(f"{step.name} reported {event.phase}")


def _deadline_of_a_wait(step: StepRun, event: Reported) -> datetime | None:
    """What is held has its own time yet to come; only a gate waits for so long."""
    if event.reason == Reason.APPROVAL_REQUIRED:
        return event.at + LONGEST_APPROVAL
    return None if event.reason in HELD else step.deadline


def finished(step: StepRun, phase: Phase, at: datetime) -> StepRun:
    """Return the step at its end: nothing is due, nobody holds it."""
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
            return finished(failed, Phase.FAILED, event.at)
    return finished(replace(step, outputs=outputs), Phase.SUCCEEDED, event.at)


def _failed(run: Run, step: StepRun, definition: Step, event: Reported) -> StepRun:
    """Try again within the step's limit; a run that ends only does so for `always`."""
    failures = step.failures + 1
    retry = definition.retry
    if retry is None and event.phase is Phase.ERRORED:
        retry = ERRORS
    step = replace(step, failures=failures)
    goes_on = run.ending is None or is_always(run.workflow, step.name)
    if retry is None or event.is_final or not goes_on:
        reason = event.reason or Reason.STEP_FAILED
        return finished(replace(step, reason=reason), event.phase, event.at)
    if failures > retry.limit:
        return finished(
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
