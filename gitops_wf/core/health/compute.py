"""Health of one object from its own fields alone (kstatus Compute)."""

from gitops_wf.core.health.builtin import rule_for
from gitops_wf.core.health.status import (
    CURRENT,
    Health,
    HealthStatus,
    condition,
    failed,
    in_progress,
    is_true,
    part,
    said,
)
from gitops_wf.core.inventory import Manifest, ObjectRef


def health_of(manifest: Manifest | None) -> HealthStatus:
    """Return how an object is; None is an object that is not there."""
    if manifest is None:
        return HealthStatus(health=Health.NOT_FOUND, message="not found")
    metadata, status = part(manifest, "metadata"), part(manifest, "status")
    if metadata.get("deletionTimestamp"):
        waits = ", ".join(map(str, metadata.get("finalizers") or ()))
        return HealthStatus(
            health=Health.TERMINATING,
            message=f"waits for finalizers {waits}" if waits else "is being deleted",
        )
    observed, generation = status.get("observedGeneration"), metadata.get("generation")
    if observed is not None and generation is not None and observed != generation:
        return in_progress(f"generation {generation} not observed yet: at {observed}")
    ref = ObjectRef.of(manifest)
    rule = rule_for(ref.group, ref.kind)
    # Built-in kinds use no Reconciling or Stalled, and their Ready has rules of
    # its own (a completed Pod is not Ready).
    return rule(manifest) if rule else by_conditions(manifest)


def by_conditions(manifest: Manifest) -> HealthStatus:
    """Return the health of a kind without a rule: by its usual conditions.

    Reconciling and Stalled are kstatus' own; Ready, Available and Synced are what
    most operators set. Without any of them the object is Current.
    """
    stalled = condition(manifest, "Stalled") or {}
    if is_true(manifest, "Stalled"):
        return failed(said(stalled))
    if is_true(manifest, "Reconciling"):
        return in_progress(said(condition(manifest, "Reconciling") or {}))
    for kind in ("Ready", "Available", "Synced"):
        found = condition(manifest, kind)
        if found is not None and found.get("status") != "True":
            return in_progress(f"not {kind}: {said(found)}".removesuffix(": "))
    return CURRENT
