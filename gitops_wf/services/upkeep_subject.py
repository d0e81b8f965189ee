"""What there is to keep as it was released, if it is the time for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gitops_wf.core.engine import new_run, places
from gitops_wf.core.freeze import frozen
from gitops_wf.core.identifiers import EnvironmentId, RunId, TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun
from gitops_wf.ports.store import Reader
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.brake import paused_text
from gitops_wf.services.revisions import subject_of

_FIRST_LIMITS = (1, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A released revision that nothing moves, and the steps that own its objects."""

    revision: Revision
    run: Run
    steps: Mapping[TargetName, tuple[StepRun, ...]]


def kept(reader: Reader, environment: EnvironmentId) -> Kept | None:
    """Return what an environment has released; None while anything is under way.

    So it is while a run goes on, and after one that did not succeed: what it left on
    the targets is nobody's release. A revision that has not begun has left nothing.
    """
    record = reader.environment(environment)
    if record is None or record.is_removed or record.is_returning:
        return None
    revision = _released(reader, environment)
    if revision is None or revision.workflow is None:
        return None
    run = _run_of(reader, revision)
    steps: dict[TargetName, tuple[StepRun, ...]] = {}
    for name, place in places(run.workflow).items():
        step = run.step(name)
        if place.target is None or not place.step.owns_objects or step.is_container:
            continue
        if step.phase in {Phase.SUCCEEDED, Phase.PENDING}:
            steps[place.target] = (*steps.get(place.target, ()), step)
    return Kept(revision=revision, run=run, steps=steps)


def why_not_healed(
    reader: Reader,
    approvals: Approvals,
    environment: EnvironmentId,
    target: TargetName,
    now: datetime,
) -> str:
    """Say what holds every write to a target now, also one that only restores.

    Gates do not: what they let pass was this very content.
    """
    paused = paused_text(reader, environment)
    if paused:
        return paused
    record = reader.environment(environment)
    definition = record.definition if record is not None else None
    if definition is not None and definition.suspend:
        return "environment.yaml says suspend: true"
    if not approvals.may_use(environment, target):
        return f"no policy of the daemon config lets it use target {target} any more"
    for freeze in approvals.rulebook.freezes_for(environment, [target]):
        found = frozen(freeze.windows, now)
        if found is not None:
            return f"{target} is {found.text}"
    return ""


def _released(reader: Reader, environment: EnvironmentId) -> Revision | None:
    """Return the released revision, unless it, or a newer one, has begun to run."""
    for limit in _FIRST_LIMITS:
        found = reader.revisions(environment, limit=limit)
        for revision in found:
            if revision.released:
                return revision if revision.phase is Phase.SUCCEEDED else None
            if reader.runs(environment, number=revision.number, limit=1):
                return None
    return None


def _run_of(reader: Reader, revision: Revision) -> Run:
    """Return the run that released it; what was adopted is taken to have had one."""
    for run in reader.runs(revision.environment, number=revision.number):
        if run.phase is Phase.SUCCEEDED:
            return run
    assert revision.workflow is not None
    return new_run(
        run=RunId(f"{revision.environment}#{revision.number}"),
        ordinal=revision.earlier_runs,
        subject=subject_of(revision),
        workflow=revision.workflow,
        now=revision.created,
    )
