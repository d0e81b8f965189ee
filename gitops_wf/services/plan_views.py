"""What a commit would do, as the command line shows it.

Names of keys in ``as_json`` are promised: add to them, never rename one.
"""

from collections import Counter
from dataclasses import dataclass

from gitops_wf.core.changeset import Change
from gitops_wf.core.freeze import Frozen
from gitops_wf.core.identifiers import (
    EnvironmentId,
    RepositoryName,
    Sha,
    StepName,
    TargetName,
    environment_name,
)
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned, PlannedObject
from gitops_wf.core.policy import Policy
from gitops_wf.services.views import Json, policy_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An approval that a step waits for; ``gate`` is the target that asks for it."""

    policy: Policy
    gate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """A step of a run, as it would go.

    ``phase`` is Succeeded, Skipped, Failed or Errored; an approval counts as given.
    ``condition`` is an ``if`` that only the run can decide. ``planned`` is None for
    what does not run, or whose type does not say what it would do.
    """

    name: StepName
    type: str
    target: TargetName | None
    phase: Phase
    message: str = ""
    condition: str = ""
    approvals: tuple[Asked, ...] = ()
    frozen: Frozen | None = None
    planned: Planned | None = None

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        planned = self.planned
        return {
            "step": self.name,
            "type": self.type,
            "target": self.target,
            "phase": self.phase.value,
            "message": self.message,
            "if": self.condition or None,
            "approvals": [
                {"gate": each.gate or None, **policy_json(each.policy)}
                for each in self.approvals
            ],
            "frozen": self.frozen.text if self.frozen else None,
            "changes": None if planned is None else counted(planned.objects),
            "effects": None if planned is None else list(planned.effects),
            "objects": None
            if planned is None
            else [object_json(each) for each in planned.objects],
            "failure": planned.failure if planned and planned.failure else None,
            "reason": planned.reason if planned and planned.reason else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEnvironment:
    """An environment of which the commit would make a revision.

    ``what`` is new, changed, moved or removed. ``number`` is None where it is not
    known. ``problems`` are what is wrong with its definition: then nothing runs.
    ``holds`` say what would keep it from beginning.
    """

    id: EnvironmentId
    folder: str
    what: str
    number: int | None = None
    rollback_of: int | None = None
    problems: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    steps: tuple[PlannedStep, ...] = ()

    @property
    def name(self) -> str:
        """Its name in its repository."""
        return environment_name(self.id)

    @property
    def is_wrong(self) -> bool:
        """Whether its revision would not succeed, or nobody can tell."""
        return bool(self.problems) or any(step.phase.is_bad for step in self.steps)

    @property
    def objects(self) -> tuple[PlannedObject, ...]:
        """What happens to objects, in the order of the steps."""
        return tuple(
            each
            for step in self.steps
            if step.planned is not None
            for each in step.planned.objects
        )

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        return {
            "environment": self.name,
            "folder": self.folder,
            "change": self.what,
            "number": self.number,
            "rollbackOf": self.rollback_of,
            "problems": list(self.problems),
            "holds": list(self.holds),
            "notes": list(self.notes),
            "changes": counted(self.objects),
            "steps": [step.as_json() for step in self.steps],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCommit:
    """What a commit would do: the revisions that it would make.

    ``base`` is what is compared with, ``commit`` what it would be. ``unaffected``
    are environments of which it makes none. ``problems`` are folders that are no
    environments although they should be.
    """

    repository: RepositoryName
    base: Sha
    commit: Sha
    source: str
    environments: tuple[PlannedEnvironment, ...]
    unaffected: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_wrong(self) -> bool:
        """Whether something of it would not go well, or could not be found out."""
        return bool(self.problems) or any(each.is_wrong for each in self.environments)

    def as_json(self) -> Json:
        """Return it as plain JSON."""
        return {
            "repository": self.repository,
            "base": self.base,
            "source": self.source,
            "environments": [each.as_json() for each in self.environments],
            "unaffected": list(self.unaffected),
            "problems": list(self.problems),
            "notes": list(self.notes),
        }


def counted(objects: tuple[PlannedObject, ...]) -> Json:
    """Return how many objects are created, configured and so on; none is left out."""
    counts = Counter(each.change for each in objects)
    return {
        **{change.value: counts[change] for change in Change},
        "refused": sum(bool(each.refusal) for each in objects),
    }


def object_json(planned: PlannedObject) -> Json:
    """Return what happens to an object as plain JSON, without its content."""
    return {
        "object": str(planned.ref),
        "group": planned.ref.group,
        "kind": planned.ref.kind,
        "namespace": planned.ref.namespace or None,
        "name": planned.ref.name,
        "change": planned.change.value if planned.change else None,
        "message": planned.refusal or planned.message,
    }
