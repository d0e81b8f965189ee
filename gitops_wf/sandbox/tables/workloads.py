"""The cells of what makes Pods, and what cells of all kinds are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gitops_wf.sandbox.clocks import parse_stamp
from gitops_wf.sandbox.objects import Manifest, is_deleting, metadata, name_of
from gitops_wf.sandbox.tables.ages import duration, since


def deployment(one: Manifest, now: datetime) -> list[Any]:
    """The cells of a Deployment."""
    spec, status = spec_of(one), status_of(one)
    names, images = _containers(spec.get("template") or {})
    return [
        name_of(one),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(one, now),
        names,
        images,
        selector_text(spec.get("selector")),
    ]


def replica_set(one: Manifest, now: datetime) -> list[Any]:
    """The cells of a ReplicaSet or ReplicationController."""
    spec, status = spec_of(one), status_of(one)
    names, images = _containers(spec.get("template") or {})
    selector = spec.get("selector")
    text = (
        labels_text(selector)
        if one.get("kind") == "ReplicationController"
        else selector_text(selector)
    )
    return [
        name_of(one),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(one, now),
        names,
        images,
        text,
    ]


def stateful_set(one: Manifest, now: datetime) -> list[Any]:
    """The cells of a StatefulSet."""
    spec, status = spec_of(one), status_of(one)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    names, images = _containers(spec.get("template") or {})
    return [name_of(one), ready, age(one, now), names, images]


def daemon_set(one: Manifest, now: datetime) -> list[Any]:
    """The cells of a DaemonSet."""
    spec, status = spec_of(one), status_of(one)
    template = spec.get("template") or {}
    names, images = _containers(template)
    return [
        name_of(one),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        labels_text((template.get("spec") or {}).get("nodeSelector")),
        age(one, now),
        names,
        images,
        selector_text(spec.get("selector")),
    ]


def job(one: Manifest, now: datetime) -> list[Any]:
    """The cells of a Job."""
    spec, status = spec_of(one), status_of(one)
    names, images = _containers(spec.get("template") or {})
    return [
        name_of(one),
        _job_status(one),
        _completions(spec, status),
        _job_duration(one, now),
        age(one, now),
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
        for condition in status_of(one).get("conditions") or []
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
    status = status_of(one)
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


def cron_job(one: Manifest, now: datetime) -> list[Any]:
    """The cells of a CronJob."""
    spec, status = spec_of(one), status_of(one)
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
        age(one, now),
        names,
        images,
        selector_text(template.get("selector")),
    ]


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


def labels_text(labels: dict[str, str] | None) -> str:
    """Labels as `a=b,c=d`."""
    if not labels:
        return "<none>"
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def spec_of(manifest: Manifest) -> dict[str, Any]:
    """The spec, never None."""
    return manifest.get("spec") or {}


def status_of(manifest: Manifest) -> dict[str, Any]:
    """The status, never None."""
    return manifest.get("status") or {}


def age(manifest: Manifest, now: datetime) -> str:
    """The age of an object."""
    return since(metadata(manifest).get("creationTimestamp"), now)
