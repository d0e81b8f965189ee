"""When time alone changes a run: limits of steps, of groups, and of the workflow.

A step that is being carried out (it has a token) has no moment here: an attempt in
flight finishes, and its report is judged by the same limits.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from gitops_wf.core.engine.plan import is_always
from gitops_wf.core.identifiers import StepName
from gitops_wf.core.phases import Phase
from gitops_wf.core.run import Run, StepRun

LONGEST_STEP = timedelta(hours=1)
"""The timeout of a step whose definition names none."""

LONGEST_APPROVAL = timedelta(days=30)
"""How long a gate waits for its approval."""


def next_due(run: Run) -> datetime | None:
    """Return when time alone changes something that no queued work will."""
    if run.phase.is_final:
        return None
    moments: list[datetime | None] = []
    for step in run.steps:
        if step.phase.is_final or step.token:
            continue
        if step.is_container:
            moments += [limit for _, limit in limits_in(run, step)]
        else:
            moments += [step.deadline, None if step.is_asked else step.due]
    if run.ending is not None:
        moments.append(run.ending.since + run.workflow.final_timeout)
    else:
        moments.append(running_limit(run))
    return min((moment for moment in moments if moment is not None), default=None)


def running_limit(run: Run) -> datetime | None:
    """Return when the workflow's timeout is over, while it counts."""
    if run.workflow.timeout is None or run.running_since is None:
        return None
    return run.running_since + run.workflow.timeout - run.ran


def limits_in(run: Run, group: StepRun) -> Iterator[tuple[StepRun, datetime]]:
    """Yield what a group's own deadline ends, and when it ends it.

    Everything in it that is still open (KubeVela's rule); but ``if: always`` runs in
    any case, so those sub-steps have the workflow's ``final_timeout`` on top.
    """
    if group.deadline is not None:
        yield from _limits(run, group, group.name, group.deadline)


def _limits(
    run: Run, group: StepRun, container: StepName, deadline: datetime
) -> Iterator[tuple[StepRun, datetime]]:
    for step in run.children(container):
        if step.phase.is_final or step.token:
            continue
        if step.is_container and step.phase is not Phase.PENDING:
            yield from _limits(run, group, step.name, deadline)
        elif step.phase is not Phase.SUSPENDED and is_always(
            run.workflow, step.name, within=group.name
        ):
            yield step, deadline + run.workflow.final_timeout
        else:
            yield step, deadline
