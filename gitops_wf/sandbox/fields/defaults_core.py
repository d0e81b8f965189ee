"""Defaults of the core group: Pods and what is in them, Services, volumes, RBAC."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

Object = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"
_NOT_SOURCES = frozenset({"name"})

VALUES: Mapping[str, Mapping[str, Any]] = {
    "core.v1.PodSpec": {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    },
    "core.v1.Container": {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    },
    "core.v1.EphemeralContainer": {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    },
    "core.v1.ContainerPort": {"protocol": "TCP"},
    "core.v1.Probe": {
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    },
    "core.v1.HTTPGetAction": {"path": "/", "scheme": "HTTP"},
    "core.v1.GRPCAction": {"service": ""},
    "core.v1.ObjectFieldSelector": {"apiVersion": "v1"},
    "core.v1.SecretVolumeSource": {"defaultMode": 420},
    "core.v1.ConfigMapVolumeSource": {"defaultMode": 420},
    "core.v1.DownwardAPIVolumeSource": {"defaultMode": 420},
    "core.v1.ProjectedVolumeSource": {"defaultMode": 420},
    "core.v1.ServiceAccountTokenProjection": {"expirationSeconds": 3600},
    "core.v1.HostPathVolumeSource": {"type": ""},
    "core.v1.ISCSIVolumeSource": {"iscsiInterface": "default"},
    "core.v1.PersistentVolumeClaimSpec": {"volumeMode": "Filesystem"},
    "core.v1.PersistentVolumeClaimStatus": {"phase": "Pending"},
    "core.v1.PersistentVolumeSpec": {
        "persistentVolumeReclaimPolicy": "Retain",
        "volumeMode": "Filesystem",
    },
    "core.v1.PersistentVolumeStatus": {"phase": "Pending"},
    "core.v1.NamespaceStatus": {"phase": "Active"},
    "core.v1.Secret": {"type": "Opaque"},
    "core.v1.ServiceSpec": {"type": "ClusterIP", "sessionAffinity": "None"},
    "core.v1.EndpointPort": {"protocol": "TCP"},
    "discovery.v1.EndpointPort": {"name": "", "protocol": "TCP"},
    "networking.v1.NetworkPolicyPort": {"protocol": "TCP"},
    "rbac.v1.RoleRef": {"apiGroup": _RBAC},
    "scheduling.v1.PriorityClass": {"preemptionPolicy": "PreemptLowerPriority"},
    "storage.v1.StorageClass": {
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    },
}


def _pod(pod: Object) -> None:
    """What only a Pod itself gets, not a template of Pods."""
    spec = pod["spec"]
    spec.setdefault("enableServiceLinks", True)
    for container in _containers(spec):
        resources = container["resources"]
        limits = resources.get("limits") or {}
        if limits:
            requests = resources.setdefault("requests", {})
            for name, value in limits.items():
                requests.setdefault(name, value)
        if spec.get("hostNetwork"):
            for port in container.get("ports", ()):
                port.setdefault("hostPort", port.get("containerPort"))


def _containers(spec: Object) -> list[Object]:
    lists = ("initContainers", "containers")
    return [c for name in lists for c in spec.get(name) or () if isinstance(c, dict)]


def _pod_spec(spec: Object) -> None:
    # The old name of the field, kept in step by the conversion.
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name


def _container(container: Object) -> None:
    image = container.get("image", "")
    container.setdefault("imagePullPolicy", pull_policy(image))


def pull_policy(image: str) -> str:
    """Always for `latest` and for no tag at all, else IfNotPresent."""
    name, digest, _ = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if tag == "latest" or (not tag and not digest):
        return "Always"
    return "IfNotPresent"


def _volume(volume: Object) -> None:
    if not volume.keys() - _NOT_SOURCES:
        volume["emptyDir"] = {}


def _image_volume(source: Object) -> None:
    source.setdefault("pullPolicy", pull_policy(source.get("reference", "")))


def _namespace(namespace: Object) -> None:
    metadata = namespace["metadata"]
    if metadata.get("name"):
        labels = metadata.setdefault("labels", {})
        labels["kubernetes.io/metadata.name"] = metadata["name"]


def _secret(secret: Object) -> None:
    """`stringData` is only ever written: it becomes `data`."""
    for name, value in (secret.pop("stringData", None) or {}).items():
        encoded = base64.b64encode(str(value).encode()).decode()
        secret.setdefault("data", {})[name] = encoded


def _service(spec: Object) -> None:
    kind = spec["type"]
    external = kind in {"NodePort", "LoadBalancer"}
    if external or (kind == "ClusterIP" and spec.get("externalIPs")):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if external or kind == "ClusterIP":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["sessionAffinity"] == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {})
        config.setdefault("clientIP", {}).setdefault("timeoutSeconds", 10800)
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in {0, "", None}:
            port["targetPort"] = port.get("port", 0)


def _limit_range_item(item: Object) -> None:
    if item.get("type") != "Container":
        return
    limits = item.setdefault("default", {})
    requests = item.setdefault("defaultRequest", {})
    for target, source in ((limits, "max"), (requests, "default"), (requests, "min")):
        for name, value in (item.get(source) or {}).items():
            target.setdefault(name, value)
    for name in ("default", "defaultRequest"):
        if not item[name]:
            del item[name]


def _network_policy(spec: Object) -> None:
    if not spec.get("policyTypes"):
        egress = ["Egress"] if spec.get("egress") else []
        spec["policyTypes"] = ["Ingress", *egress]


def _subject(subject: Object) -> None:
    if subject.get("kind") in {"User", "Group"}:
        subject.setdefault("apiGroup", _RBAC)


RULES: Mapping[str, Callable[[Object], None]] = {
    "core.v1.Pod": _pod,
    "core.v1.PodSpec": _pod_spec,
    "core.v1.Container": _container,
    "core.v1.EphemeralContainer": _container,
    "core.v1.Volume": _volume,
    "core.v1.ImageVolumeSource": _image_volume,
    "core.v1.Namespace": _namespace,
    "core.v1.Secret": _secret,
    "core.v1.ServiceSpec": _service,
    "core.v1.LimitRangeItem": _limit_range_item,
    "networking.v1.NetworkPolicySpec": _network_policy,
    "rbac.v1.Subject": _subject,
}
