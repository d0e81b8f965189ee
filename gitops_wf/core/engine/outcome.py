"""What a run, or a group, would end as if it ended now."""

from collections.abc import Iterable

from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import Run, StepRun

_WORST = (Phase.FAILED, Phase.ERRORED, Phase.ABORTED)


def outcome(run: Run) -> tuple[Phase, str, str]:
    """Return phase, reason and message of the run as it would end now.

    An ending asked for wins; else the first step that ended badly speaks for all.
    """
    if run.ending is not None:
        return run.ending.phase, run.ending.reason, run.ending.message
    bad = first_bad(step for step in run.steps if step.parent is None)
    if bad is None:
        return Phase.SUCCEEDED, "", ""
    return bad.phase, bad.reason or Reason.STEP_FAILED, f"{bad.name}: {bad.message}"


def first_bad(steps: Iterable[StepRun]) -> StepRun | None:
    """Return the first of the steps with the worst phase, if any ended badly."""
    steps = tuple(steps)
    for phase in _WORST:
        for step in steps:
            if step.phase is phase:
                return step
    return None


def group_outcome(children: tuple[StepRun, ...]) -> tuple[Phase, str, str]:
    """Return what a group ends as when all its sub-steps have ended (KubeVela's).

    Failed if any failed; skipped if all were; else succeeded.
    """
    bad = first_bad(children)
    if bad is not None:
        return bad.phase, bad.reason or Reason.STEP_FAILED, f"{bad.name}: {bad.message}"
    if children and all(child.phase is Phase.SKIPPED for child in children):
        return Phase.SKIPPED, Reason.CONDITION_FALSE, "all sub-steps were skipped"
    return Phase.SUCCEEDED, "", "; ".join(c.message for c in children if c.message)
