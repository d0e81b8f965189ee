"""The cells of each kind that has its own columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gitops_wf.sandbox.clocks import parse_stamp
from gitops_wf.sandbox.objects import Manifest, is_deleting, metadata, name_of
from gitops_wf.sandbox.tables.ages import UNKNOWN, duration, since
from gitops_wf.sandbox.tables.pods import pod_cells

Cells = Callable[[Manifest, datetime], list[Any]]


def _spec(manifest: Manifest) -> dict[str, Any]:
    return manifest.get("spec") or {}


def _status(manifest: Manifest) -> dict[str, Any]:
    return manifest.get("status") or {}


def _age(manifest: Manifest, now: datetime) -> str:
    return since(metadata(manifest).get("creationTimestamp"), now)


def _containers(template: dict[str, Any]) -> tuple[str, str]:
    containers = (template.get("spec") or {}).get("containers") or []
    names = ",".join(one.get("name", "") for one in containers)
    return names, ",".join(one.get("image", "") for one in containers)


def selector_text(selector: dict[str, Any] | None) -> str:
    """A label selector of an object as text."""
    if not selector:
        return "<none>"
    terms = [
        f"{key}={value}"
        for key, value in sorted((selector.get("matchLabels") or {}).items())
    ]
    for term in selector.get("matchExpressions") or []:
        key, values = term.get("key"), ",".join(sorted(term.get("values") or []))
        match term.get("operator"):
            case "In":
                terms.append(f"{key} in ({values})")
            case "NotIn":
                terms.append(f"{key} notin ({values})")
            case "Exists":
                terms.append(f"{key}")
            case _:
                terms.append(f"!{key}")
    return ",".join(terms) or "<none>"


def _labels_text(labels: dict[str, str] | None) -> str:
    if not labels:
        return "<none>"
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _config_map(one: Manifest, now: datetime) -> list[Any]:
    count = len(one.get("data") or {}) + len(one.get("binaryData") or {})
    return [name_of(one), count, _age(one, now)]


def _secret(one: Manifest, now: datetime) -> list[Any]:
    return [
        name_of(one),
        one.get("type", ""),
        len(one.get("data") or {}),
        _age(one, now),
    ]


def _deployment(one: Manifest, now: datetime) -> list[Any]:
    spec, status = _spec(one), _status(one)
    names, images = _containers(spec.get("template") or {})
    return [
        name_of(one),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _age(one, now),
        names,
        images,
        selector_text(spec.get("selector")),
    ]


def _replica_set(one: Manifest, now: datetime) -> list[Any]:
    spec, status = _spec(one), _status(one)
    names, images = _containers(spec.get("template") or {})
    selector = spec.get("selector")
    text = (
        _labels_text(selector)
        if one.get("kind") == "ReplicationController"
        else selector_text(selector)
    )
    return [
        name_of(one),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        _age(one, now),
        names,
        images,
        text,
    ]


def _stateful_set(one: Manifest, now: datetime) -> list[Any]:
    spec, status = _spec(one), _status(one)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    names, images = _containers(spec.get("template") or {})
    return [name_of(one), ready, _age(one, now), names, images]


def _daemon_set(one: Manifest, now: datetime) -> list[Any]:
    spec, status = _spec(one), _status(one)
    template = spec.get("template") or {}
    names, images = _containers(template)
    return [
        name_of(one),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        _labels_text((template.get("spec") or {}).get("nodeSelector")),
        _age(one, now),
        names,
        images,
        selector_text(spec.get("selector")),
    ]


def _job(one: Manifest, now: datetime) -> list[Any]:
    spec, status = _spec(one), _status(one)
    names, images = _containers(spec.get("template") or {})
    return [
        name_of(one),
        _job_status(one),
        _completions(spec, status),
        _job_duration(one, now),
        _age(one, now),
        names,
        images,
        selector_text(spec.get("selector")),
    ]


def _completions(spec: dict[str, Any], status: dict[str, Any]) -> str:
    done = status.get("succeeded", 0)
    if "completions" in spec:
        return f"{done}/{spec['completions']}"
    parallel = spec.get("parallelism", 0)
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_status(one: Manifest) -> str:
    true = {
        condition.get("type")
        for condition in _status(one).get("conditions") or []
        if condition.get("status") == "True"
    }
    if "Complete" in true:
        return "Complete"
    if "Failed" in true:
        return "Failed"
    if is_deleting(one):
        return "Terminating"
    if "Suspended" in true:
        return "Suspended"
    if "FailureTarget" in true:
        return "FailureTarget"
    return "SuccessCriteriaMet" if "SuccessCriteriaMet" in true else "Running"


def _job_duration(one: Manifest, now: datetime) -> str:
    status = _status(one)
    started = status.get("startTime")
    if not started:
        return ""
    ended = status.get("completionTime")
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            ended = condition.get("lastTransitionTime")
    if not ended:
        return since(started, now)
    return duration(parse_stamp(ended) - parse_stamp(started))


def _cron_job(one: Manifest, now: datetime) -> list[Any]:
    spec, status = _spec(one), _status(one)
    template = (spec.get("jobTemplate") or {}).get("spec") or {}
    names, images = _containers(template.get("template") or {})
    last = status.get("lastScheduleTime")
    return [
        name_of(one),
        spec.get("schedule", ""),
        spec.get("timeZone") or "<none>",
        "True" if spec.get("suspend") else "False",
        len(status.get("active") or []),
        since(last, now) if last else "<none>",
        _age(one, now),
        names,
        images,
        selector_text(template.get("selector")),
    ]


def _service(one: Manifest, now: datetime) -> list[Any]:
    spec = _spec(one)
    return [
        name_of(one),
        spec.get("type", ""),
        spec.get("clusterIP") or "<none>",
        _external(one),
        ",".join(_service_port(port) for port in spec.get("ports") or []) or "<none>",
        _age(one, now),
        _labels_text(spec.get("selector")),
    ]


def _service_port(port: dict[str, Any]) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}"


def _external(service: Manifest) -> str:
    spec = _spec(service)
    given = spec.get("externalIPs") or []
    match spec.get("type"):
        case "ExternalName":
            return spec.get("externalName") or ""
        case "LoadBalancer":
            ingress = (_status(service).get("loadBalancer") or {}).get("ingress") or []
            found = [one.get("ip") or one.get("hostname") or "" for one in ingress]
            return ",".join([*found, *given]) or "<pending>"
        case _:
            return ",".join(given) or "<none>"


def _node(one: Manifest, now: datetime) -> list[Any]:
    status = _status(one)
    ready = "Unknown"
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Ready":
            ready = "Ready" if condition.get("status") == "True" else "NotReady"
    if _spec(one).get("unschedulable"):
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
        _age(one, now),
        info.get("kubeletVersion", ""),
        address("InternalIP"),
        address("ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _namespace(one: Manifest, now: datetime) -> list[Any]:
    return [name_of(one), _status(one).get("phase", ""), _age(one, now)]


def _service_account(one: Manifest, now: datetime) -> list[Any]:
    return [name_of(one), _age(one, now)]


def _ingress(one: Manifest, now: datetime) -> list[Any]:
    spec = _spec(one)
    hosts = [rule["host"] for rule in spec.get("rules") or [] if rule.get("host")]
    shown = ",".join(hosts[:3]) + (
        f" + {len(hosts) - 3} more..." if len(hosts) > 3 else ""
    )
    ingress = (_status(one).get("loadBalancer") or {}).get("ingress") or []
    return [
        name_of(one),
        spec.get("ingressClassName") or "<none>",
        shown or "*",
        ",".join(at.get("ip") or at.get("hostname") or "" for at in ingress),
        "80, 443" if spec.get("tls") else "80",
        _age(one, now),
    ]


_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _claim(one: Manifest, now: datetime) -> list[Any]:
    spec, status = _spec(one), _status(one)
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
        _age(one, now),
        spec.get("volumeMode") or "<unset>",
    ]


def _autoscaler(one: Manifest, now: datetime) -> list[Any]:
    spec, status = _spec(one), _status(one)
    target = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        name_of(one),
        f"{target.get('kind')}/{target.get('name')}",
        _targets(spec, status),
        str(least) if least is not None else "<unset>",
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        _age(one, now),
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
    spec = _spec(one)
    return [
        name_of(one),
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        _status(one).get("disruptionsAllowed", 0),
        _age(one, now),
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
    status = _status(one)
    hard, used = status.get("hard") or {}, status.get("used") or {}

    def shown(*, limits: bool) -> str:
        return ", ".join(
            f"{key}: {used.get(key, '0')}/{value}"
            for key, value in sorted(hard.items())
            if key.startswith("limits.") is limits
        )

    return [name_of(one), shown(limits=False), shown(limits=True), _age(one, now)]


CELLS: dict[str, Cells] = {
    "configmaps": _config_map,
    "cronjobs.batch": _cron_job,
    "daemonsets.apps": _daemon_set,
    "deployments.apps": _deployment,
    "events": _event,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "ingresses.networking.k8s.io": _ingress,
    "jobs.batch": _job,
    "namespaces": _namespace,
    "nodes": _node,
    "persistentvolumeclaims": _claim,
    "poddisruptionbudgets.policy": _disruption_budget,
    "pods": pod_cells,
    "replicasets.apps": _replica_set,
    "replicationcontrollers": _replica_set,
    "resourcequotas": _quota,
    "secrets": _secret,
    "serviceaccounts": _service_account,
    "services": _service,
    "statefulsets.apps": _stateful_set,
}
