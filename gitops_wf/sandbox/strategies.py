"""What the server itself decides about an object when it is created or updated.

The rules are those of the `strategy.go` files of Kubernetes: which kinds count
generations, which have a status that only its subresource may write.
"""

from __future__ import annotations

from typing import Any

from gitops_wf.sandbox.objects import Manifest, copy, metadata, name_of
from gitops_wf.sandbox.resources import Resource

# Kinds whose generation starts at 1 and follows their spec.
_GENERATED = frozenset(
    {
        "customresourcedefinitions.apiextensions.k8s.io",
        "cronjobs.batch",
        "daemonsets.apps",
        "deployments.apps",
        "endpointslices.discovery.k8s.io",
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "ingressclasses.networking.k8s.io",
        "ingresses.networking.k8s.io",
        "jobs.batch",
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "networkpolicies.networking.k8s.io",
        "poddisruptionbudgets.policy",
        "pods",
        "priorityclasses.scheduling.k8s.io",
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "replicasets.apps",
        "replicationcontrollers",
        "statefulsets.apps",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
    }
)
# What a new object's status is, whatever the request says.
_FIRST_STATUS: dict[str, dict[str, Any]] = {
    "daemonsets.apps": {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    "horizontalpodautoscalers.autoscaling": {
        "desiredReplicas": 0,
        "currentMetrics": None,
    },
    "ingresses.networking.k8s.io": {"loadBalancer": {}},
    "namespaces": {"phase": "Active"},
    "persistentvolumeclaims": {"phase": "Pending"},
    "persistentvolumes": {"phase": "Pending"},
    "poddisruptionbudgets.policy": {
        "disruptionsAllowed": 0,
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "expectedPods": 0,
    },
    "replicasets.apps": {"replicas": 0},
    "replicationcontrollers": {"replicas": 0},
    "services": {"loadBalancer": {}},
    "statefulsets.apps": {"replicas": 0, "availableReplicas": 0},
}
# Metadata that a client may not change, and that an update takes from the old object.
_SERVER_OWNED = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "namespace",
    "uid",
)
_TEMPLATE_COUNT = "deprecated.daemonset.template.generation"
# Kinds with a status subresource that may nevertheless be created with a status.
_STATUS_KEPT = frozenset({"nodes"})


def has_status(resource: Resource) -> bool:
    """Whether status is written by its own subresource only."""
    return "status" in resource.subresources


def prepare_create(resource: Resource, manifest: Manifest) -> None:
    """Set what the server decides about a new object, in place."""
    kind = resource.qualified
    meta = metadata(manifest)
    if has_status(resource) and kind not in _STATUS_KEPT:
        manifest.pop("status", None)
        if kind == "customresourcedefinitions.apiextensions.k8s.io":
            manifest["status"] = _unaccepted(manifest)
        elif resource.custom:
            pass
        elif kind == "pods":
            manifest["status"] = {"phase": "Pending", "qosClass": qos_class(manifest)}
        else:
            manifest["status"] = copy(_FIRST_STATUS.get(kind, {}))
    if kind in _GENERATED or resource.custom:
        meta["generation"] = 1
    match kind:
        case "namespaces":
            finalizers = manifest.setdefault("spec", {}).setdefault("finalizers", [])
            if "kubernetes" not in finalizers:
                finalizers.append("kubernetes")
        case "daemonsets.apps":
            annotations = meta.setdefault("annotations", {})
            annotations[_TEMPLATE_COUNT] = "1"
        case "jobs.batch":
            _select_own_pods(manifest)
        case _:
            pass


def _unaccepted(definition: Manifest) -> dict[str, Any]:
    versions = (definition.get("spec") or {}).get("versions") or []
    return {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": [one.get("name") for one in versions if one.get("storage")],
    }


def _select_own_pods(job: Manifest) -> None:
    """Give a Job without manualSelector its generated selector and labels."""
    spec = job.setdefault("spec", {})
    if spec.get("manualSelector"):
        return
    uid = metadata(job)["uid"]
    generated = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name_of(job),
        "controller-uid": uid,
        "job-name": name_of(job),
    }
    template = spec.setdefault("template", {})
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    for key, value in generated.items():
        labels.setdefault(key, value)
    # The Job itself gets its template's labels only where it has none of its own.
    if not metadata(job).get("labels"):
        metadata(job)["labels"] = copy(labels)
    selector = spec.setdefault("selector", {}).setdefault("matchLabels", {})
    selector.setdefault("batch.kubernetes.io/controller-uid", uid)


def prepare_update(
    resource: Resource, new: Manifest, old: Manifest, subresource: str
) -> None:
    """Take over from the old object what this request may not write, in place."""
    meta, before = metadata(new), metadata(old)
    for key in _SERVER_OWNED:
        meta.pop(key, None)
        if key in before:
            meta[key] = before[key]
    kind = resource.qualified
    if subresource == "status":
        for key in [key for key in new if key not in ("metadata", "status")]:
            del new[key]
        for key, value in old.items():
            if key not in ("metadata", "status"):
                new[key] = value
        if kind == "pods" and "qosClass" in (old.get("status") or {}):
            new.setdefault("status", {}).setdefault(
                "qosClass", old["status"]["qosClass"]
            )
        if resource.custom or kind == "customresourcedefinitions.apiextensions.k8s.io":
            managed = meta.get("managedFields")
            new["metadata"] = {**before}
            if managed is not None:
                new["metadata"]["managedFields"] = managed
        return
    if has_status(resource) and kind != "nodes":
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    if kind == "namespaces" and subresource != "finalize":
        new["spec"] = {**(new.get("spec") or {})}
        finalizers = (old.get("spec") or {}).get("finalizers")
        new["spec"].pop("finalizers", None)
        if finalizers:
            new["spec"]["finalizers"] = finalizers
    if kind == "daemonsets.apps":
        _count_template(new, old)
    if _counts_generation(resource, new, old):
        meta["generation"] = before.get("generation", 0) + 1


def _count_template(new: Manifest, old: Manifest) -> None:
    """Number a DaemonSet's templates in the annotation that stands for the count."""
    number = int((metadata(old).get("annotations") or {}).get(_TEMPLATE_COUNT, "1"))
    if (new.get("spec") or {}).get("template") != (old.get("spec") or {}).get(
        "template"
    ):
        number += 1
    annotations = {**(metadata(new).get("annotations") or {})}
    metadata(new)["annotations"] = annotations | {_TEMPLATE_COUNT: str(number)}


def _counts_generation(resource: Resource, new: Manifest, old: Manifest) -> bool:
    if resource.custom:
        return _without_status(new) != _without_status(old)
    kind = resource.qualified
    if kind not in _GENERATED:
        return False
    if kind.endswith(".admissionregistration.k8s.io") and "spec" not in new:
        return new.get("webhooks") != old.get("webhooks")
    if kind == "deployments.apps" and (
        (metadata(new).get("annotations") or {})
        != (metadata(old).get("annotations") or {})
    ):
        return True
    if kind == "priorityclasses.scheduling.k8s.io":
        return False
    if kind == "endpointslices.discovery.k8s.io":
        return _without_status(new) != _without_status(old)
    return new.get("spec") != old.get("spec")


def _without_status(manifest: Manifest) -> Manifest:
    return {
        key: value
        for key, value in manifest.items()
        if key not in ("metadata", "status")
    }


def qos_class(pod: Manifest) -> str:
    """BestEffort, Burstable or Guaranteed, from the containers' resources."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    any_set, guaranteed = False, bool(containers)
    for container in containers:
        resources = container.get("resources") or {}
        limits = resources.get("limits") or {}
        requests = {**limits, **(resources.get("requests") or {})}
        for name in ("cpu", "memory"):
            if name in requests or name in limits:
                any_set = True
            if name not in limits or requests.get(name) != limits[name]:
                guaranteed = False
    if not any_set:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
