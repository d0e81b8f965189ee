"""Whether a run is yet to say which objects of a target are its environment's.

A step that owns objects claims all of them at once, as the first thing that its attempt
does: before that is reported, nobody can know.
"""

from gitops_wf.core.engine.plan import places
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.core.run import Run
from gitops_wf.core.workflow import Workflow

_UNDER_WAY = frozenset({Phase.PENDING, Phase.RUNNING})


def is_to_claim(run: Run, target: TargetName) -> bool:
    """Whether a run goes on by itself to a claim on a target.

    One that waits for an approval or for time does not, nor does one that has to end.
    """
    goes_on = run.phase in _UNDER_WAY and run.ending is None
    return goes_on and not has_claimed(run, target)


def has_claimed(run: Run, target: TargetName) -> bool:
    """Whether all that it will own on a target is said, for good."""
    table = places(run.workflow)
    return not any(
        step.target == target
        and step.phase in _UNDER_WAY
        and step.look == 0
        and table[step.name].step.owns_objects
        for step in run.steps
    )


def claims(workflow: Workflow, target: TargetName) -> bool:
    """Whether a workflow has a step that owns objects on a target."""
    return any(
        place.target == target and place.step.owns_objects
        for place in places(workflow).values()
    )
