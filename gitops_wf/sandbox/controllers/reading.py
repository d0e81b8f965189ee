"""What controllers read from objects: owners, selectors, conditions, readiness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_wf.sandbox.objects import Manifest, is_deleting, metadata


def format_time(moment: datetime) -> str:
    """RFC 3339 in whole seconds, as Kubernetes stores times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str | None) -> datetime | None:
    """The time of an RFC 3339 text; None where there is none."""
    return datetime.fromisoformat(text) if text else None


def created_at(manifest: Manifest) -> datetime:
    """When the object was created."""
    return parse_time(
        metadata(manifest).get("creationTimestamp")
    ) or datetime.min.replace(tzinfo=UTC)


def annotations_of(manifest: Manifest) -> dict[str, str]:
    """metadata.annotations, never None."""
    return metadata(manifest).get("annotations") or {}


def owner_references(manifest: Manifest) -> list[dict[str, Any]]:
    """metadata.ownerReferences, never None."""
    return metadata(manifest).get("ownerReferences") or []


def controller_of(manifest: Manifest) -> dict[str, Any] | None:
    """The owner reference that says `controller: true`."""
    for reference in owner_references(manifest):
        if reference.get("controller"):
            return reference
    return None


def controlled_by(owner: Manifest, api_version: str, kind: str) -> dict[str, Any]:
    """The owner reference that a controller writes into what it makes."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def find_condition(conditions: Sequence[Mapping[str, Any]] | None, kind: str) -> Any:
    """The condition of a type, or None."""
    return next((one for one in conditions or [] if one.get("type") == kind), None)


def is_true(conditions: Sequence[Mapping[str, Any]] | None, kind: str) -> bool:
    """Whether the condition of a type has the status True."""
    found = find_condition(conditions, kind)
    return found is not None and found.get("status") == "True"


def phase_of(pod: Manifest) -> str:
    """status.phase, or ''."""
    return str((pod.get("status") or {}).get("phase") or "")


def is_active(pod: Manifest) -> bool:
    """Whether a Pod counts: neither ended nor being deleted."""
    return phase_of(pod) not in {"Succeeded", "Failed"} and not is_deleting(pod)


def is_ready(pod: Manifest) -> bool:
    """Whether the Pod has the condition Ready."""
    return is_true((pod.get("status") or {}).get("conditions"), "Ready")


def available_from(pod: Manifest, min_ready_seconds: int) -> datetime | None:
    """When a ready Pod counts as available; None while it is not ready."""
    if not is_ready(pod):
        return None
    ready = find_condition(pod["status"]["conditions"], "Ready")
    since = parse_time(ready.get("lastTransitionTime")) or created_at(pod)
    return since + timedelta(seconds=min_ready_seconds)


def scaled(value: int | str | None, total: int, *, round_up: bool) -> int:
    """An absolute number, or a percentage of the total."""
    if isinstance(value, str) and value.endswith("%"):
        part = int(value[:-1]) * total / 100
        return math.ceil(part) if round_up else math.floor(part)
    return int(value or 0)


def without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """A map less its zero values, as Go's `omitempty` prints it."""
    return {key: value for key, value in values.items() if value not in (0, "", None)}
