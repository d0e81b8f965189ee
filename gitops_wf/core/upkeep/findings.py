"""What one look at a released revision on a target found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gitops_wf.core.health import HealthStatus
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.upkeep.differing import FieldDrift

_SHOWN = 3


class DriftKind(StrEnum):
    """In which way an object is not as it was released."""

    CHANGED = "changed"
    MISSING = "missing"
    DELETING = "deleting"
    CLAIMED = "claimed"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """An object that is not as it was released.

    An outdated one is a copy of what has changed since: nobody touched it, and Git says
    nothing of its content. ``fields`` are some of those that differ and ``managers``
    who owns them by now; ``note`` says what fields cannot. ``since`` is when it was
    seen first.
    """

    ref: ObjectRef
    kind: DriftKind
    fields: tuple[FieldDrift, ...] = ()
    managers: tuple[str, ...] = ()
    note: str = ""
    since: datetime | None = None

    @property
    def is_healable(self) -> bool:
        """Whether an apply would mend it: not what another has, or what is going."""
        return self.kind in {
            DriftKind.CHANGED,
            DriftKind.MISSING,
            DriftKind.OUTDATED,
        }

    @property
    def is_drift(self) -> bool:
        """Whether it differs from Git, so that healing it is as Git's owner says."""
        return self.kind is not DriftKind.OUTDATED

    def __str__(self) -> str:
        """Return ``Deployment/shop/web: /spec/replicas is 5, Git says 3 (by bob)``."""
        if self.kind is DriftKind.MISSING:
            return f"{self.ref}: is not there"
        texts = [str(each) for each in self.fields[:_SHOWN]]
        if len(self.fields) > _SHOWN:
            texts.append(f"and {len(self.fields) - _SHOWN} more fields")
        texts += [self.note] if self.note else []
        by = f" (by {', '.join(self.managers)})" if self.managers else ""
        return f"{self.ref}: {'; '.join(texts)}{by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look found: what drifted, and how each object is.

    ``problem`` says why it could not be found out; then the rest is empty.
    """

    drifted: tuple[Drifted, ...] = ()
    health: Mapping[ObjectRef, HealthStatus] = field(default_factory=dict)
    problem: str = ""

    def joined(self, other: "Findings") -> "Findings":
        """Return both, as of two steps on one target."""
        return Findings(
            drifted=(*self.drifted, *other.drifted),
            health={**self.health, **other.health},
            problem=self.problem or other.problem,
        )
