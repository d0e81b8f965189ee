"""The row of a Pod: its STATUS is the reason that matters most."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gitops_wf.sandbox.objects import Manifest, is_deleting, metadata, name_of
from gitops_wf.sandbox.tables.ages import since


def pod_cells(pod: Manifest, now: datetime) -> list[Any]:
    """The cells of a Pod."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    total = len(spec.get("containers") or [])
    ready = sum(
        1
        for one in containers
        if one.get("ready") and "running" in (one.get("state") or {})
    )
    addresses = status.get("podIPs") or []
    address = addresses[0].get("ip") if addresses else status.get("podIP")
    return [
        name_of(pod),
        f"{ready}/{total}",
        pod_status(pod),
        _restarts(containers, now),
        since(metadata(pod).get("creationTimestamp"), now),
        address or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        _gates(spec, status),
    ]


def _restarts(containers: list[dict[str, Any]], now: datetime) -> str:
    count = sum(one.get("restartCount", 0) for one in containers)
    finished = [
        ((one.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""
        for one in containers
    ]
    last = max(finished, default="")
    return f"{count} ({since(last, now)} ago)" if count and last else str(count)


def _gates(spec: dict[str, Any], status: dict[str, Any]) -> str:
    gates = spec.get("readinessGates") or []
    if not gates:
        return "<none>"
    true = {
        one.get("type")
        for one in status.get("conditions") or []
        if one.get("status") == "True"
    }
    fulfilled = sum(1 for gate in gates if gate.get("conditionType") in true)
    return f"{fulfilled}/{len(gates)}"


def pod_status(pod: Manifest) -> str:
    """The STATUS column."""
    status = pod.get("status") or {}
    reason: str = status.get("reason") or status.get("phase") or ""
    for condition in status.get("conditions") or []:
        if (
            condition.get("type") == "PodScheduled"
            and condition.get("reason") == "SchedulingGated"
        ):
            reason = "SchedulingGated"
    starting = _initializing(pod)
    reason = starting or _of_containers(status, reason)
    if is_deleting(pod):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Failed", "Succeeded"):
            return "Terminating"
    return reason


def _initializing(pod: Manifest) -> str:
    status = pod.get("status") or {}
    states = status.get("initContainerStatuses") or []
    for index, one in enumerate(states):
        state = one.get("state") or {}
        ended = state.get("terminated")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if ended is not None:
            reason = ended.get("reason") or f"ExitCode:{ended.get('exitCode')}"
            return f"Init:{reason}"
        waiting = (state.get("waiting") or {}).get("reason")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        total = len((pod.get("spec") or {}).get("initContainers") or [])
        return f"Init:{index}/{total}"
    return ""


def _of_containers(status: dict[str, Any], reason: str) -> str:
    running = False
    for one in reversed(status.get("containerStatuses") or []):
        state = one.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif ended is not None:
            signal = ended.get("signal")
            exited = (
                f"Signal:{signal}" if signal else f"ExitCode:{ended.get('exitCode')}"
            )
            reason = ended.get("reason") or exited
        elif one.get("ready") and "running" in state:
            running = True
    if reason == "Completed" and running:
        ready = any(
            one.get("type") == "Ready" and one.get("status") == "True"
            for one in status.get("conditions") or []
        )
        return "Running" if ready else "NotReady"
    return reason


def pod_row_conditions(pod: Manifest) -> list[dict[str, str]]:
    """The mark of a Pod that has ended, which kubectl may hide."""
    match (pod.get("status") or {}).get("phase"):
        case "Succeeded":
            message = "The pod has completed successfully."
            reason = "Succeeded"
        case "Failed":
            message, reason = "The pod failed.", "Failed"
        case _:
            return []
    return [
        {"type": "Completed", "status": "True", "reason": reason, "message": message}
    ]
