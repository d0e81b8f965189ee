"""Comparing live objects with what was released, by what an apply would change.

Most objects tell it from their managedFields, without a request. Of the others a dry
run of the apply tells, as Flux has it; what it says is remembered, for a value that the
server writes in another form (a CPU of `1000m`) looks different for ever.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.inventory import Manifest, ObjectRef, annotations_of
from gitops_wf.core.upkeep.differing import field_drifts
from gitops_wf.core.upkeep.findings import Drifted, DriftKind
from gitops_wf.core.upkeep.ignoring import IgnoreRule, ignored_of, parse_pointer
from gitops_wf.delivery.marks import Skip
from gitops_wf.delivery.memory import Memory
from gitops_wf.delivery.names import (
    DRIFT_ANNOTATIONS,
    ENVIRONMENT_LABEL,
    label_value,
)
from gitops_wf.delivery.rendering import Desired
from gitops_wf.delivery.respecting import respecting
from gitops_wf.delivery.settled import entry_of, is_known_settled, is_our_apply
from gitops_wf.ports.cluster import Cluster, ClusterRefusalError

KEPT_FIELDS = 10
"""Differing fields of one object that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparer:
    """Compares one environment's objects on one cluster; writes nothing.

    ``memory`` holds what dry runs said, ``settled`` what needed none.
    """

    cluster: Cluster
    environment: EnvironmentId
    rules: tuple[IgnoreRule, ...]
    memory: Memory
    settled: Memory

    def compare(
        self, items: Iterable[Desired], live: Mapping[ObjectRef, Manifest | None]
    ) -> Iterator[Drifted]:
        """Yield what is not as it was released.

        Errors: those of a cluster that does not answer. What it refuses is a finding.
        """
        for item in items:
            found = self._compare(item, live.get(item.ref))
            if found is not None:
                yield found

    def wanted(self, item: Desired, live: Manifest | None) -> Desired:
        """Return what to apply: the object with what may differ as it is there."""
        if live is None:
            return item
        ignored = ignored_of(item.ref, self.rules)
        return replace(item, manifest=respecting(item.manifest, live, ignored))

    def _compare(self, item: Desired, live: Manifest | None) -> Drifted | None:
        if item.marks.hook is not None:
            return None
        if is_left_alone(item.manifest) or ignored_of(item.ref, self.rules).is_whole:
            return None
        if live is None:
            if item.runs_once:
                return None
            return Drifted(ref=item.ref, kind=DriftKind.MISSING)
        if item.marks.skip is Skip.IF_PRESENT or is_left_alone(live):
            return None
        metadata = live.get("metadata") or {}
        owner = (metadata.get("labels") or {}).get(ENVIRONMENT_LABEL)
        if owner and owner != label_value(self.environment):
            text = f"environment {str(owner).replace('.', '/')} has taken it over"
            return Drifted(ref=item.ref, kind=DriftKind.CLAIMED, note=text)
        if metadata.get("deletionTimestamp"):
            text = "is being deleted"
            return Drifted(ref=item.ref, kind=DriftKind.DELETING, note=text)
        wanted = self.wanted(item, live).manifest
        if is_known_settled(wanted, live, self.settled):
            return None
        state = _state(wanted, live)
        if self.memory.knows((self.environment, item.ref), state):
            return None
        found = self._dry_run(item.ref, wanted, live)
        if found is None:
            self.memory.learn((self.environment, item.ref), state)
        return found

    def _dry_run(
        self, ref: ObjectRef, wanted: Manifest, live: Manifest
    ) -> Drifted | None:
        try:
            merged = self.cluster.apply(wanted, force=True, dry_run=True).manifest
        except ClusterRefusalError as exc:
            text = f"cannot be applied as Git has it: {cut(exc.message)}"
            return Drifted(ref=ref, kind=DriftKind.CHANGED, note=text)
        if not field_drifts(live, merged, wanted):
            return None
        # The list may be some seconds old, and controllers write all the time.
        resource = self.cluster.resource(str(wanted["apiVersion"]), ref.kind)
        fresh = self.cluster.get(resource, ref.namespace, ref.name)
        if fresh is None:
            return Drifted(ref=ref, kind=DriftKind.MISSING)
        fields = field_drifts(fresh, merged, wanted)
        if not fields:
            return None
        managers = dict.fromkeys(
            manager
            for field in fields
            for manager in owners(wanted, fresh, parse_pointer(field.path))
        )
        more = len(fields) - KEPT_FIELDS
        return Drifted(
            ref=ref,
            kind=DriftKind.CHANGED,
            fields=fields[:KEPT_FIELDS],
            managers=tuple(managers),
            note=f"and {more} more fields" if more > 0 else "",
        )


def is_left_alone(manifest: Manifest) -> bool:
    """Whether an object says that it is not to be compared."""
    annotations = annotations_of(manifest)
    return any(
        str(annotations.get(name, "")).lower() == "disabled"
        for name in DRIFT_ANNOTATIONS
    )


def owners(wanted: Manifest, live: Manifest, place: tuple[str, ...]) -> Iterator[str]:
    """Yield the managers, others than us, that own a field of the live object.

    Numbers in ``place`` count the lists of ``wanted``.
    """
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        if not is_our_apply(entry) and _owns(
            entry.get("fieldsV1") or {}, wanted, place
        ):
            yield cut(str(entry.get("manager")), 64)


def _owns(fields: Mapping[str, Any], value: Any, place: tuple[str, ...]) -> bool:
    if not place:
        return True
    step, *rest = place
    if isinstance(value, list):
        index = int(step) if step.isdecimal() else -1
        item = value[index] if 0 <= index < len(value) else None
        key = entry_of(item, [each for each in fields if each.startswith("k:")]) or ""
    else:
        item = value.get(step) if isinstance(value, Mapping) else None
        key = f"f:{step}"
    if key not in fields:
        return False
    # A leaf owns all below it.
    return not fields[key] or _owns(fields[key], item, tuple(rest))


def _state(wanted: Manifest, live: Manifest) -> bytes:
    """Return a digest of all that the answer of a dry run depends on."""
    metadata = {
        key: value
        for key, value in live["metadata"].items()
        if key not in {"managedFields", "resourceVersion"}
    }
    seen = {**live, "metadata": metadata, "status": None}
    text = json.dumps([wanted, seen], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).digest()
