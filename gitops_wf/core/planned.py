"""What a step would do: to a cluster, object by object, and elsewhere."""

from dataclasses import dataclass

from gitops_wf.core.changeset import Change, ChangeEntry, ChangeSet
from gitops_wf.core.inventory import Manifest, ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedObject:
    """One object, and what would happen to it.

    ``change`` is None where nothing would: the server refuses it (``refusal`` says
    why), or the step fails before its turn. ``before`` and ``after`` are what is
    there and what would be, as a person may see it: no bookkeeping, Secret values
    masked; None is an object that is not there.
    """

    ref: ObjectRef
    change: Change | None
    message: str = ""
    refusal: str = ""
    before: Manifest | None = None
    after: Manifest | None = None

    @property
    def is_different(self) -> bool:
        """Whether the object would not be as it is."""
        return self.change not in {None, Change.UNCHANGED, Change.SKIPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What an attempt of a step would do.

    ``effects`` say what else it does than to change these objects, each one line.
    ``failure`` is what it would end with, and ``reason`` its cause; empty where it
    would go well. ``is_unknown`` says that it could not be found out.
    """

    objects: tuple[PlannedObject, ...] = ()
    effects: tuple[str, ...] = ()
    failure: str = ""
    reason: str = ""
    is_unknown: bool = False

    def __str__(self) -> str:
        """Return in one line what it would do."""
        changes = (str(self.changes),) if self.objects or not self.effects else ()
        return "; ".join((*self.effects, *changes))

    @property
    def changes(self) -> ChangeSet:
        """What the attempt would report."""
        return ChangeSet(
            entries=tuple(
                ChangeEntry(ref=each.ref, change=each.change, message=each.message)
                for each in self.objects
                if each.change is not None
            )
        )
