"""Health of one object from its own fields alone (kstatus Compute)."""

from gitops_wf.core.health.builtin import rule_for
from gitops_wf.core.health.rules import NO_RULES, HealthRules
from gitops_wf.core.health.status import (
    CURRENT,
    Health,
    HealthStatus,
    condition,
    failed,
    in_progress,
    observed_conditions,
    part,
    said,
    suspended,
)
from gitops_wf.core.inventory import Manifest, ObjectRef


def health_of(manifest: Manifest | None, rules: HealthRules = NO_RULES) -> HealthStatus:
    """Return how an object is; None is an object that is not there.

    A user's rule for exactly this kind comes first, then the rule of a built-in kind,
    then the most exact one of ``rules``, and at last the usual conditions.
    """
    if manifest is None:
        return HealthStatus(health=Health.NOT_FOUND, message="not found")
    metadata, status = part(manifest, "metadata"), part(manifest, "status")
    if metadata.get("deletionTimestamp"):
        waits = ", ".join(map(str, metadata.get("finalizers") or ()))
        return HealthStatus(
            health=Health.TERMINATING,
            message=f"waits for finalizers {waits}" if waits else "is being deleted",
        )
    ref = ObjectRef.of(manifest)
    rule = rules.overrides(ref.group, ref.kind)
    builtin = None if rule else rule_for(ref.group, ref.kind)
    if rule is None and builtin is None:
        rule = rules.find(ref.group, ref.kind)
    if rule is not None and (paused := rule.paused(manifest)):
        return paused
    if (
        rule is None
        and builtin is None
        and part(manifest, "spec").get("suspend") is True
    ):
        return suspended("spec.suspend is true")
    observed, generation = status.get("observedGeneration"), metadata.get("generation")
    # Argo Rollouts writes it as text.
    if None not in {observed, generation} and str(observed) != str(generation):
        return in_progress(f"generation {generation} not observed yet: at {observed}")
    # Built-in kinds use no Reconciling or Stalled, and their Ready has rules of
    # its own (a completed Pod is not Ready).
    if builtin is not None:
        return builtin(manifest)
    return rule.judge(manifest) if rule is not None else by_conditions(manifest)


def by_conditions(manifest: Manifest) -> HealthStatus:
    """Return the health of a kind without a rule: by its usual conditions.

    Reconciling and Stalled are kstatus' own; Ready, Available and Synced are what
    most operators set. Without any of them the object is Current.
    """
    observed = observed_conditions(manifest)
    stalled = observed.get("Stalled") or {}
    if stalled.get("status") == "True":
        return failed(said(stalled))
    reconciling = observed.get("Reconciling") or {}
    if reconciling.get("status") == "True":
        return in_progress(said(reconciling))
    for kind in ("Ready", "Available", "Synced"):
        if condition(manifest, kind) is None:
            continue
        found = observed.get(kind)
        if found is None:
            return in_progress(f"{kind} was observed at an earlier generation")
        if found.get("status") != "True":
            return in_progress(f"not {kind}: {said(found)}".removesuffix(": "))
    return CURRENT
