"""The kstatus rules of the kinds that Kubernetes itself serves.

Source: sigs.k8s.io/cli-utils/pkg/kstatus/status/core.go; what differs says why.
"""

from collections.abc import Callable, Mapping

from gitops_wf.core.health.status import (
    CURRENT,
    HealthStatus,
    condition,
    failed,
    in_progress,
    is_true,
    maps,
    number,
    part,
    said,
    suspended,
)
from gitops_wf.core.inventory import Manifest

Rule = Callable[[Manifest], HealthStatus]


def rule_for(group: str, kind: str) -> Rule | None:
    """Return the rule of a built-in kind, or None."""
    return _RULES.get((group, kind))


def _deployment(manifest: Manifest) -> HealthStatus:
    spec, status = part(manifest, "spec"), part(manifest, "status")
    progressing = condition(manifest, "Progressing") or {}
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return failed(said(progressing))
    if spec.get("paused"):
        return suspended("rollout is paused")
    wanted = number(spec, "replicas", 1)
    replicas, updated = number(status, "replicas"), number(status, "updatedReplicas")
    if "observedGeneration" not in status:
        return in_progress("not observed by its controller yet")
    if updated < wanted:
        return in_progress(f"{updated} of {wanted} replicas updated")
    if replicas > updated:
        return in_progress(f"{replicas - updated} old replicas still terminate")
    return _available(manifest, wanted)


def _available(manifest: Manifest, wanted: int) -> HealthStatus:
    status = part(manifest, "status")
    available, ready = (
        number(status, "availableReplicas"),
        number(status, "readyReplicas"),
    )
    if ready < wanted:
        return in_progress(f"{ready} of {wanted} replicas ready")
    if available < wanted:
        return in_progress(f"{available} of {wanted} replicas available")
    return CURRENT


def _replica_set(manifest: Manifest) -> HealthStatus:
    failure = condition(manifest, "ReplicaFailure")
    if failure is not None and failure.get("status") == "True":
        return in_progress(said(failure))
    wanted = number(part(manifest, "spec"), "replicas", 1)
    status = part(manifest, "status")
    labelled = number(status, "fullyLabeledReplicas")
    if labelled < wanted:
        return in_progress(f"{labelled} of {wanted} replicas created")
    if number(status, "replicas") > wanted:
        return in_progress(f"{number(status, 'replicas') - wanted} replicas too many")
    return _available(manifest, wanted)


def _stateful_set(manifest: Manifest) -> HealthStatus:
    spec, status = part(manifest, "spec"), part(manifest, "status")
    strategy = part(spec, "updateStrategy")
    wanted = number(spec, "replicas", 1)
    ready, replicas = number(status, "readyReplicas"), number(status, "replicas")
    if "observedGeneration" not in status:
        return in_progress("not observed by its controller yet")
    if replicas > wanted:
        return in_progress(f"{replicas - wanted} replicas too many")
    if ready < wanted:
        return in_progress(f"{ready} of {wanted} replicas ready")
    if strategy.get("type") == "OnDelete":
        return CURRENT
    partition = number(part(strategy, "rollingUpdate"), "partition")
    updated = number(status, "updatedReplicas")
    if partition:
        if updated < wanted - partition:
            return in_progress(f"{updated} of {wanted - partition} replicas updated")
        return CURRENT
    if status.get("currentRevision") != status.get("updateRevision"):
        return in_progress(f"{updated} of {wanted} replicas updated")
    return CURRENT


def _daemon_set(manifest: Manifest) -> HealthStatus:
    status = part(manifest, "status")
    if "observedGeneration" not in status:
        return in_progress("not observed by its controller yet")
    wanted = number(status, "desiredNumberScheduled")
    strategy = part(manifest, "spec", "updateStrategy").get("type")
    fields = [("numberAvailable", "available"), ("numberReady", "ready")]
    if strategy != "OnDelete":
        fields.insert(0, ("updatedNumberScheduled", "updated"))
    for field, word in fields:
        if number(status, field) < wanted:
            return in_progress(f"{number(status, field)} of {wanted} pods {word}")
    return CURRENT


def _pod(manifest: Manifest) -> HealthStatus:
    status = part(manifest, "status")
    match status.get("phase"):
        case "Succeeded":
            return CURRENT
        case "Failed":
            return failed(
                str(status.get("message") or status.get("reason") or "pod failed")
            )
        case "Running" if is_true(manifest, "Ready"):
            return CURRENT
        case _:
            pass
    unscheduled = condition(manifest, "PodScheduled") or {}
    if unscheduled.get("status") == "False":
        return in_progress(said(unscheduled))
    ready = condition(manifest, "Ready") or {}
    return in_progress(said(ready) or f"phase is {status.get('phase') or 'not set'}")


def _job(manifest: Manifest) -> HealthStatus:
    """Return the health of a Job: Current only when complete.

    kstatus calls a Job Current once it has started; whoever delivers a Job means
    its end (Flux waits for it too, since kustomize-controller 0.4).
    """
    spec, status = part(manifest, "spec"), part(manifest, "status")
    for kind in ("Failed", "FailureTarget"):
        if is_true(manifest, kind):
            return failed(said(condition(manifest, kind) or {}))
    if is_true(manifest, "Complete"):
        return CURRENT
    if spec.get("suspend"):
        return suspended("Job is suspended")
    done, wanted = number(status, "succeeded"), number(spec, "completions", 1)
    return in_progress(
        f"{done} of {wanted} completions, {number(status, 'active')} pods active, "
        f"{number(status, 'failed')} failed"
    )


def _cron_job(manifest: Manifest) -> HealthStatus:
    if part(manifest, "spec").get("suspend"):
        return suspended("CronJob is suspended")
    return CURRENT


def _service(manifest: Manifest) -> HealthStatus:
    spec = part(manifest, "spec")
    if spec.get("type") == "LoadBalancer":
        if not maps(part(manifest, "status", "loadBalancer").get("ingress")):
            return in_progress("load balancer has no address yet")
    elif spec.get("type") != "ExternalName" and not spec.get("clusterIP"):
        return in_progress("no clusterIP yet")
    return CURRENT


def _persistent_volume_claim(manifest: Manifest) -> HealthStatus:
    phase = part(manifest, "status").get("phase")
    if phase == "Lost":
        return failed("its PersistentVolume is gone")
    if phase != "Bound":
        return in_progress(f"phase is {phase or 'not set'}, not Bound")
    return CURRENT


def _persistent_volume(manifest: Manifest) -> HealthStatus:
    status = part(manifest, "status")
    phase = status.get("phase")
    if phase == "Failed":
        return failed(str(status.get("message") or "its reclamation failed"))
    if phase in {"Available", "Bound", "Released"}:
        return CURRENT
    return in_progress(f"phase is {phase or 'not set'}")


def _custom_resource_definition(manifest: Manifest) -> HealthStatus:
    names = condition(manifest, "NamesAccepted") or {}
    if names.get("status") == "False":
        return failed(said(names))
    if is_true(manifest, "Established"):
        return CURRENT
    established = condition(manifest, "Established") or {}
    if established.get("status") == "False" and established.get("reason") not in {
        None,
        "Installing",
        "NotAccepted",
    }:
        return failed(said(established))
    return in_progress("not Established yet")


def _namespace(manifest: Manifest) -> HealthStatus:
    phase = part(manifest, "status").get("phase")
    if phase in {None, "Active"}:
        return CURRENT
    return in_progress(f"phase is {phase}")


def _horizontal_pod_autoscaler(manifest: Manifest) -> HealthStatus:
    """Return the health of an autoscaler: only a missing scale target holds it up.

    Metrics often come later than a deployment, or from what is deployed after it.
    """
    found = condition(manifest, "AbleToScale") or {}
    if found.get("status") == "False":
        return in_progress(said(found))
    return CURRENT


def _current(_manifest: Manifest) -> HealthStatus:
    return CURRENT


_RULES: Mapping[tuple[str, str], Rule] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("", "ReplicationController"): _replica_set,
    ("", "Pod"): _pod,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cron_job,
    ("", "Service"): _service,
    ("", "PersistentVolumeClaim"): _persistent_volume_claim,
    ("", "PersistentVolume"): _persistent_volume,
    ("policy", "PodDisruptionBudget"): _current,
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
    ): _custom_resource_definition,
    ("", "Namespace"): _namespace,
    ("autoscaling", "HorizontalPodAutoscaler"): _horizontal_pod_autoscaler,
    # An Ingress may never get an address (class without one): kstatus says Current.
    ("networking.k8s.io", "Ingress"): _current,
    ("networking.k8s.io", "NetworkPolicy"): _current,
    ("", "ConfigMap"): _current,
    ("", "Secret"): _current,
    ("", "ServiceAccount"): _current,
    ("rbac.authorization.k8s.io", "Role"): _current,
    ("rbac.authorization.k8s.io", "RoleBinding"): _current,
    ("rbac.authorization.k8s.io", "ClusterRole"): _current,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _current,
}
