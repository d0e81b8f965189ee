"""The words for the health of an object, and reading its conditions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.inventory import Manifest


class Health(StrEnum):
    """Where an object stands against what was asked of it (kstatus)."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    SUSPENDED = "Suspended"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


_ORDER = (
    Health.CURRENT,
    Health.SUSPENDED,
    Health.IN_PROGRESS,
    Health.TERMINATING,
    Health.NOT_FOUND,
    Health.UNKNOWN,
    Health.FAILED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStatus:
    """A word and, where there is something to say, why."""

    health: Health
    message: str = ""

    def __str__(self) -> str:
        """Return ``Failed: why``, or the word alone."""
        return f"{self.health}: {self.message}" if self.message else str(self.health)


CURRENT = HealthStatus(health=Health.CURRENT)


def worst(statuses: Iterable[Health]) -> Health:
    """Return the word for several objects together; Current for none."""
    return max(statuses, key=_ORDER.index, default=Health.CURRENT)


def in_progress(message: str) -> HealthStatus:
    """Return InProgress with a message from the cluster, cut."""
    return HealthStatus(health=Health.IN_PROGRESS, message=cut(message))


def failed(message: str) -> HealthStatus:
    """Return Failed with a message from the cluster, cut."""
    return HealthStatus(health=Health.FAILED, message=cut(message))


def suspended(message: str) -> HealthStatus:
    """Return Suspended with a message."""
    return HealthStatus(health=Health.SUSPENDED, message=cut(message))


def unknown(message: str) -> HealthStatus:
    """Return Unknown with a message."""
    return HealthStatus(health=Health.UNKNOWN, message=cut(message))


def part(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return a map inside a map; empty where there is none."""
    for key in path:
        found = value.get(key)
        value = found if isinstance(found, Mapping) else {}
    return value


def maps(value: object) -> list[Mapping[str, Any]]:
    """Return the maps of a list; empty where it is none."""
    if not isinstance(value, list | tuple):
        return []
    return [entry for entry in value if isinstance(entry, Mapping)]


def number(value: Mapping[str, Any], key: str, default: int = 0) -> int:
    """Return a whole number of a map."""
    found = value.get(key)
    return found if isinstance(found, int) else default


def observed_conditions(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """Return the conditions by type, without those of another generation.

    A condition may say at which generation it was observed (metav1.Condition); one of
    an older generation tells nothing of what is wanted now.
    """
    generation = part(manifest, "metadata").get("generation")
    return {
        str(entry.get("type")): entry
        for entry in maps(part(manifest, "status").get("conditions"))
        if entry.get("observedGeneration", generation) in {generation, 0}
        or generation is None
    }


def condition(manifest: Manifest, kind: str) -> Mapping[str, Any] | None:
    """Return the condition of a type, or None."""
    for entry in maps(part(manifest, "status").get("conditions")):
        if entry.get("type") == kind:
            return entry
    return None


def is_true(manifest: Manifest, kind: str) -> bool:
    """Whether the condition is there and says True."""
    return (condition(manifest, kind) or {}).get("status") == "True"


def said(entry: Mapping[str, Any]) -> str:
    """Return a condition's reason and message as one text."""
    reason, message = str(entry.get("reason") or ""), str(entry.get("message") or "")
    return ": ".join(text for text in (reason, message) if text)
