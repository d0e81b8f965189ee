"""Events: made, counted when they repeat, and forgotten after an hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from gitops_wf.sandbox.controllers.kubelet import NODE
from gitops_wf.sandbox.controllers.reading import created_at, format_time, parse_time
from gitops_wf.sandbox.controllers.work import Emit, Outcome, Situation, delete
from gitops_wf.sandbox.objects import (
    Manifest,
    name_of,
    namespace_of,
    revision_of,
    uid_of,
)

# kube-apiserver's --event-ttl.
LIFETIME = timedelta(hours=1)
_AT_NODE = {"kubelet"}


def identity(emit: Emit) -> tuple[str, str, str, str]:
    """What two Events share that are counted as one."""
    return uid_of(emit.about), emit.reason, emit.message, emit.component


def identity_of(event: Manifest) -> tuple[str, str, str, str]:
    """The identity of a stored Event."""
    return (
        (event.get("involvedObject") or {}).get("uid", ""),
        event.get("reason", ""),
        event.get("message", ""),
        (event.get("source") or {}).get("component", ""),
    )


def new_event(emit: Emit, serial: int, now: datetime) -> Manifest:
    """The Event as it is first stored; `serial` makes its name unique."""
    about, stamp = emit.about, format_time(now)
    namespace = namespace_of(about) or "default"
    involved: dict[str, Any] = {
        "kind": about["kind"],
        "namespace": namespace_of(about),
        "name": name_of(about),
        "uid": uid_of(about),
        "apiVersion": about["apiVersion"],
        "resourceVersion": revision_of(about),
    }
    source = {"component": emit.component}
    at_node = emit.component in _AT_NODE
    if at_node:
        source["host"] = NODE
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name_of(about)}.{serial:016x}", "namespace": namespace},
        "involvedObject": {key: value for key, value in involved.items() if value},
        "reason": emit.reason,
        "message": emit.message,
        "source": source,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
        "type": "Warning" if emit.warning else "Normal",
        "eventTime": None,
        "reportingComponent": emit.component,
        "reportingInstance": NODE if at_node else "",
    }


def counted(event: Manifest, now: datetime) -> Manifest:
    """The Event once more."""
    return event | {
        "count": (event.get("count") or 0) + 1,
        "lastTimestamp": format_time(now),
    }


def expire(situation: Situation) -> Outcome:
    """Delete an Event whose time is over."""
    event = situation.object
    last = parse_time(event.get("lastTimestamp")) or created_at(event)
    due = last + LIFETIME
    if due <= situation.now:
        return Outcome(writes=(delete("events", event),))
    return Outcome(due=due)
