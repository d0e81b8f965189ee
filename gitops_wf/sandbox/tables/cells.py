"""The cells of each kind that has its own columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gitops_wf.sandbox.objects import Manifest, is_deleting, metadata, name_of
from gitops_wf.sandbox.tables.ages import UNKNOWN, since
from gitops_wf.sandbox.tables.pods import pod_cells
from gitops_wf.sandbox.tables.workloads import (
    age,
    cron_job,
    daemon_set,
    deployment,
    job,
    labels_text,
    replica_set,
    spec_of,
    stateful_set,
    status_of,
)

Cells = Callable[[Manifest, datetime], list[Any]]


def _config_map(one: Manifest, now: datetime) -> list[Any]:
    count = len(one.get("data") or {}) + len(one.get("binaryData") or {})
    return [name_of(one), count, age(one, now)]


def _secret(one: Manifest, now: datetime) -> list[Any]:
    return [
        name_of(one),
        one.get("type", ""),
        len(one.get("data") or {}),
        age(one, now),
    ]


def _service(one: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(one)
    return [
        name_of(one),
        spec.get("type", ""),
        spec.get("clusterIP") or "<none>",
        _external(one),
        ",".join(_service_port(port) for port in spec.get("ports") or []) or "<none>",
        age(one, now),
        labels_text(spec.get("selector")),
    ]


def _service_port(port: dict[str, Any]) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"


def _external(service: Manifest) -> str:
    spec = spec_of(service)
    given = spec.get("externalIPs") or []
    match spec.get("type"):
        case "ExternalName":
            return spec.get("externalName") or ""
        case "LoadBalancer":
            ingress = (status_of(service).get("loadBalancer") or {}).get(
                "ingress"
            ) or []
            found = [one.get("ip") or one.get("hostname") or "" for one in ingress]
            return ",".join([*found, *given]) or "<pending>"
        case _:
            return ",".join(given) or "<none>"


def _node(one: Manifest, now: datetime) -> list[Any]:
    status = status_of(one)
    ready = "Unknown"
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Ready":
            ready = "Ready" if condition.get("status") == "True" else "NotReady"
    if spec_of(one).get("unschedulable"):
        ready += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    roles = ",".join(
        key.removeprefix(prefix)
        for key in sorted(metadata(one).get("labels") or {})
        if key.startswith(prefix)
    )
    info = status.get("nodeInfo") or {}

    def address(kind: str) -> str:
        for known in status.get("addresses") or []:
            if known.get("type") == kind:
                return str(known.get("address"))
        return "<none>"

    return [
        name_of(one),
        ready,
        roles or "<none>",
        age(one, now),
        info.get("kubeletVersion", ""),
        address("InternalIP"),
        address("ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _namespace(one: Manifest, now: datetime) -> list[Any]:
    return [name_of(one), status_of(one).get("phase", ""), age(one, now)]


def _service_account(one: Manifest, now: datetime) -> list[Any]:
    return [name_of(one), age(one, now)]


def _ingress(one: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(one)
    hosts = [rule["host"] for rule in spec.get("rules") or [] if rule.get("host")]
    shown = ",".join(hosts[:3]) + (
        f" + {len(hosts) - 3} more..." if len(hosts) > 3 else ""
    )
    ingress = (status_of(one).get("loadBalancer") or {}).get("ingress") or []
    return [
        name_of(one),
        spec.get("ingressClassName") or "<none>",
        shown or "*",
        ",".join(at.get("ip") or at.get("hostname") or "" for at in ingress),
        "80, 443" if spec.get("tls") else "80",
        age(one, now),
    ]


_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _claim(one: Manifest, now: datetime) -> list[Any]:
    spec, status = spec_of(one), status_of(one)
    bound = bool(spec.get("volumeName"))
    modes = status.get("accessModes") or [] if bound else []
    capacity = (status.get("capacity") or {}).get("storage", "") if bound else ""
    return [
        name_of(one),
        "Terminating" if is_deleting(one) else status.get("phase", ""),
        spec.get("volumeName", ""),
        capacity,
        ",".join(_MODES.get(mode, mode) for mode in modes),
        spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or "<unset>",
        age(one, now),
        spec.get("volumeMode") or "<unset>",
    ]


def _autoscaler(one: Manifest, now: datetime) -> list[Any]:
    spec, status = spec_of(one), status_of(one)
    target = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        name_of(one),
        f"{target.get('kind')}/{target.get('name')}",
        _targets(spec, status),
        str(least) if least is not None else "<unset>",
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age(one, now),
    ]


def _targets(spec: dict[str, Any], status: dict[str, Any]) -> str:
    found = []
    current = status.get("currentMetrics") or []
    for index, metric in enumerate(spec.get("metrics") or []):
        resource = metric.get("resource") or {}
        wanted = resource.get("target") or {}
        now = (
            (current[index].get("resource") or {}).get("current")
            if index < len(current)
            else None
        ) or {}
        if "averageUtilization" in wanted:
            have = now.get("averageUtilization")
            shown = UNKNOWN if have is None else f"{have}%"
            name = resource.get("name")
            found.append(f"{name}: {shown}/{wanted['averageUtilization']}%")
        else:
            shown = now.get("averageValue", UNKNOWN)
            found.append(f"{shown}/{wanted.get('averageValue', '<auto>')}")
    return ", ".join(found) or "<none>"


def _disruption_budget(one: Manifest, now: datetime) -> list[Any]:
    spec = spec_of(one)
    return [
        name_of(one),
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        status_of(one).get("disruptionsAllowed", 0),
        age(one, now),
    ]


def _event(one: Manifest, now: datetime) -> list[Any]:
    about = one.get("involvedObject") or {}
    first = one.get("firstTimestamp") or one.get("eventTime")
    series = one.get("series") or {}
    last = one.get("lastTimestamp") or first
    last = series.get("lastObservedTime") or last
    source = one.get("source") or {}
    origin = [
        part
        for part in (
            source.get("component") or one.get("reportingComponent"),
            source.get("host"),
        )
        if part
    ]
    kind = (about.get("kind") or "").lower()
    name = about.get("name") or ""
    return [
        since(last, now),
        one.get("type", ""),
        one.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        about.get("fieldPath", ""),
        ", ".join(origin),
        (one.get("message") or "").strip(),
        since(first, now),
        series.get("count") or one.get("count") or 1,
        name_of(one),
    ]


def _quota(one: Manifest, now: datetime) -> list[Any]:
    status = status_of(one)
    hard, used = status.get("hard") or {}, status.get("used") or {}

    def shown(*, limits: bool) -> str:
        return ", ".join(
            f"{key}: {used.get(key, '0')}/{value}"
            for key, value in sorted(hard.items())
            if key.startswith("limits.") is limits
        )

    return [name_of(one), shown(limits=False), shown(limits=True), age(one, now)]


CELLS: dict[str, Cells] = {
    "configmaps": _config_map,
    "cronjobs.batch": cron_job,
    "daemonsets.apps": daemon_set,
    "deployments.apps": deployment,
    "events": _event,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "ingresses.networking.k8s.io": _ingress,
    "jobs.batch": job,
    "namespaces": _namespace,
    "nodes": _node,
    "persistentvolumeclaims": _claim,
    "poddisruptionbudgets.policy": _disruption_budget,
    "pods": pod_cells,
    "replicasets.apps": replica_set,
    "replicationcontrollers": replica_set,
    "resourcequotas": _quota,
    "secrets": _secret,
    "serviceaccounts": _service_account,
    "services": _service,
    "statefulsets.apps": stateful_set,
}
