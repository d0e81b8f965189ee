"""What is to be delivered, for whom and how, and what it renders to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from gitops_wf.core.environment import Environment
from gitops_wf.core.identifiers import EnvironmentId, Sha, TargetName
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.delivery.choosing import Part
from gitops_wf.delivery.marks import Skip
from gitops_wf.delivery.pruning import everything
from gitops_wf.delivery.rendering import Desired, Source
from gitops_wf.delivery.waves import Wave


def owned(objects: Iterable[Desired]) -> tuple[Desired, ...]:
    """Return those that become the environment's; the others are left alone."""
    return tuple(item for item in objects if item.marks.skip is not Skip.ALWAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What an environment wants on a target at a commit, wave by wave."""

    waves: tuple[Wave, ...]
    digest: str

    @property
    def objects(self) -> tuple[Desired, ...]:
        """Return all objects."""
        return tuple(item for wave in self.waves for item in wave)

    @property
    def owned(self) -> tuple[Desired, ...]:
        """Return those that become the environment's; the others are left alone."""
        return owned(self.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to deliver, for whom, and how.

    ``step`` owns the objects; ``step_files`` are paths that steps use themselves.
    ``inputs`` is the digest that completing it records. ``place`` is the namespace of
    objects that name none; empty is the target's. ``concerns`` says which of the
    step's objects it is about: others of them are not pruned by it. ``given`` are
    objects that the step itself gives, in place of what the environment's files hold.
    """

    id: EnvironmentId
    environment: Environment
    commit: Sha
    number: int
    inputs: str
    target: TargetName
    step: str
    now: datetime
    part: Part = field(default_factory=Part)
    step_files: tuple[str, ...] = ()
    prune: bool = True
    force: bool = False
    force_conflicts: bool = False
    place: str = ""
    concerns: Callable[[ObjectRef], bool] = everything
    given: tuple[Source, ...] | None = None
