"""Applying one object: take-over, conflicts, immutable fields, and no write at all."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_wf.core.changeset import Change, ChangeEntry
from gitops_wf.core.errors import TransientError
from gitops_wf.core.health import NO_RULES, Health, HealthRules, health_of
from gitops_wf.core.inventory import Manifest
from gitops_wf.delivery.fields import union
from gitops_wf.delivery.marks import Skip, frozen_because
from gitops_wf.delivery.memory import Memory
from gitops_wf.delivery.names import FORCE_ANNOTATIONS
from gitops_wf.delivery.pruning import OPT_IN_KINDS
from gitops_wf.delivery.rendering import Desired
from gitops_wf.delivery.settled import FIELD_MANAGER, is_known_settled, is_our_apply
from gitops_wf.ports.cluster import (
    Applied,
    ApplyConflictError,
    Cluster,
    ClusterRefusalError,
)

CLIENT_SIDE_MANAGERS = frozenset({"kubectl-client-side-apply", "kubectl-last-applied"})
"""Managers whose fields are taken over: `kubectl apply` was how the object came to
be, and Git is now. kubectl migrates the same two (csaupgrade)."""

_IMMUTABLE = re.compile(
    r"is\s+immutable|immutable\s+field|may not change once set|"
    r"for fields other than .* are forbidden|may not change fields other than"
)
"""What API servers say of fields that cannot change (Flux's test, and what
StatefulSets, Pods, Services and PVCs say instead)."""

GONE_WITHIN = 20.0
"""Seconds to wait for a deleted object to go before it is created anew."""

_PAUSE = 0.2


def wait(seconds: float) -> None:
    """Wait within an attempt, for what takes the API server a moment."""
    threading.Event().wait(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """Applies objects to one cluster; safe to use from many threads.

    ``force`` recreates what cannot be changed; ``force_conflicts`` takes fields
    from any other manager. ``memory`` is of what was settled before. ``health`` tells
    a hook that failed.
    """

    cluster: Cluster
    memory: Memory
    force: bool = False
    force_conflicts: bool = False
    pause: Callable[[float], None] = wait
    health: HealthRules = NO_RULES

    def settled(self, item: Desired, live: Manifest | None) -> ChangeEntry | None:
        """Return what becomes of an object that needs no request; None: apply it."""
        if item.marks.skip is Skip.ALWAYS:
            return _skipped(item, item.marks.why)
        if live is None:
            return None
        if item.marks.skip is Skip.IF_PRESENT:
            return _skipped(item, f"{item.marks.why}: it is there")
        frozen = frozen_because(live)
        if frozen:
            return _skipped(item, f"{frozen} on the cluster")
        if self._failed(item, live):
            return None
        if is_known_settled(item.manifest, live, self.memory):
            return ChangeEntry(ref=item.ref, change=Change.UNCHANGED)
        return None

    def apply(self, item: Desired, live: Manifest | None) -> ChangeEntry:
        """Bring one object to what Git says.

        Errors: ApplyConflictError and ClusterRefusalError with what would mend it,
        TransientError where the object is being deleted.
        """
        if live is not None:
            _check_stays(item, live)
        elif item.marks.skip is Skip.IF_PRESENT and self._live(item) is not None:
            # Made by others: without our label no LIST of ours has it.
            return _skipped(item, f"{item.marks.why}: it is there")
        try:
            if live is not None and self._runs_again(item, live):
                return self._made_anew(item)
            applied = self._taken_over(item, self._apply(item))
        except ClusterRefusalError as exc:
            if isinstance(exc, ApplyConflictError) or not _is_immutable(exc):
                raise
            return self._recreated(item, exc)
        _check_stays(item, applied.manifest)
        return ChangeEntry(ref=item.ref, change=_change(applied, live))

    def _apply(self, item: Desired) -> Applied:
        try:
            return self._sent(item)
        except ApplyConflictError as exc:
            managers = {manager for _, manager in exc.causes}
            if managers - CLIENT_SIDE_MANAGERS or not item.marks.takes_over:
                raise ApplyConflictError(
                    f"{exc.message}; remove the field from Git, or take it over with "
                    "`forceConflicts: true`",
                    reason=exc.reason,
                    status=exc.status,
                    causes=exc.causes,
                ) from exc
            self._migrate(item, self._live(item))
            return self._sent(item)

    def _sent(self, item: Desired) -> Applied:
        force = self.force_conflicts or item.marks.forces_conflicts
        return self.cluster.apply(item.manifest, force=force)

    def _taken_over(self, item: Desired, applied: Applied) -> Applied:
        """Take over what client-side apply still owns, once.

        Else a field that has left Git would stay, as its other owner keeps it.
        """
        if not item.marks.takes_over or not self._migrate(item, applied.manifest):
            return applied
        return self._sent(item)

    def _migrate(self, item: Desired, live: Manifest | None) -> bool:
        entries = (live or {}).get("metadata", {}).get("managedFields") or ()
        mine = adopted_fields(entries, item.api_version)
        if live is None or mine is None:
            return False
        metadata = {**live["metadata"], "managedFields": mine}
        self.cluster.replace({**live, "metadata": metadata})
        return True

    def _live(self, item: Desired) -> Manifest | None:
        resource = self.cluster.resource(item.api_version, item.ref.kind)
        return self.cluster.get(resource, item.ref.namespace, item.ref.name)

    def _recreated(self, item: Desired, exc: ClusterRefusalError) -> ChangeEntry:
        if not (self.force or item.marks.recreates or _runs_when_changed(item)):
            raise ClusterRefusalError(
                f"{exc.message}; such a field cannot be changed: give the object "
                f"another name, or annotate it with {FORCE_ANNOTATIONS[0]}: enabled "
                "to delete and recreate it",
                reason="Immutable",
                status=exc.status,
                causes=exc.causes,
            ) from exc
        return self._made_anew(item)

    def _made_anew(self, item: Desired) -> ChangeEntry:
        live = self._live(item)
        if live is not None:
            uid = str(live["metadata"].get("uid") or "")
            version = item.api_version.rpartition("/")[2]
            self.cluster.delete(item.ref, version, uid=uid)
            self._await_gone(item)
        self.cluster.apply(item.manifest)
        return ChangeEntry(ref=item.ref, change=Change.CREATED, message="recreated")

    def _runs_again(self, item: Desired, live: Manifest) -> bool:
        """Whether a hook that is there has to be another object, to run.

        An apply would run a changed Job no second time, nor a Pod or a Workflow. What
        has no spec does not run, and a change of metadata is none of what runs.
        """
        if self._failed(item, live):
            return True
        if not _runs_when_changed(item) or "spec" not in item.manifest:
            return False
        merged = self.cluster.apply(item.manifest, force=True, dry_run=True).manifest
        return bool(merged.get("spec") != live.get("spec"))

    def _failed(self, item: Desired, live: Manifest) -> bool:
        """Whether a hook failed that is run again for that."""
        hook = item.marks.hook
        return (
            hook is not None
            and hook.runs_when_failed
            and not _is_precious(item)
            and health_of(live, self.health).health is Health.FAILED
        )

    def _await_gone(self, item: Desired) -> None:
        for _ in range(int(GONE_WITHIN / _PAUSE)):
            if self._live(item) is None:
                return
            self.pause(_PAUSE)
        raise TransientError(f"{item.ref}: deleted to be recreated, but not gone yet")


def _runs_when_changed(item: Desired) -> bool:
    hook = item.marks.hook
    return hook is not None and hook.runs_when_changed and not _is_precious(item)


def _is_precious(item: Desired) -> bool:
    """Whether deleting it takes data along; a hook's policy does not ask for that."""
    return (item.ref.group, item.ref.kind) in OPT_IN_KINDS


def _skipped(item: Desired, why: str) -> ChangeEntry:
    return ChangeEntry(ref=item.ref, change=Change.SKIPPED, message=why)


def _check_stays(item: Desired, live: Manifest) -> None:
    """Refuse an object on its way out: what is applied to it goes with it."""
    if (live.get("metadata") or {}).get("deletionTimestamp"):
        raise TransientError(
            f"{item.ref} is being deleted: it is applied when it is gone"
        )


def adopted_fields(entries: Any, api_version: str) -> list[Mapping[str, Any]] | None:
    """Return managedFields with client-side apply's share given to us, or None.

    As kubectl's csaupgrade does it: what `kubectl apply` set becomes ours, so that
    the next apply removes from it what is not in Git.
    """
    theirs = [entry for entry in entries if _is_client_side(entry)]
    if not theirs:
        return None
    kept = [
        entry
        for entry in entries
        if not _is_client_side(entry) and not is_our_apply(entry)
    ]
    fields: Mapping[str, Any] = {}
    for entry in entries:
        if _is_client_side(entry) or is_our_apply(entry):
            fields = union(fields, entry.get("fieldsV1") or {})
    return [
        {
            "manager": FIELD_MANAGER,
            "operation": "Apply",
            "apiVersion": api_version,
            "time": theirs[0].get("time"),
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        },
        *kept,
    ]


def _is_client_side(entry: Mapping[str, Any]) -> bool:
    return (
        entry.get("manager") in CLIENT_SIDE_MANAGERS
        and entry.get("operation") == "Update"
        and not entry.get("subresource")
    )


def _change(applied: Applied, live: Manifest | None) -> Change:
    if applied.is_created:
        return Change.CREATED
    if live is None:
        return Change.CONFIGURED
    before = (live.get("metadata") or {}).get("resourceVersion")
    after = (applied.manifest.get("metadata") or {}).get("resourceVersion")
    return Change.UNCHANGED if before == after else Change.CONFIGURED


def _is_immutable(exc: ClusterRefusalError) -> bool:
    texts = [exc.message, *(message for _, message in exc.causes)]
    return exc.status in {409, 422} and any(_IMMUTABLE.search(text) for text in texts)
