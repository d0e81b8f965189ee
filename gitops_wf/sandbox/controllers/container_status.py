"""Container statuses and Pod conditions, as a kubelet reports them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zlib import crc32

from gitops_wf.sandbox.controllers.reading import find_condition, format_time
from gitops_wf.sandbox.objects import Manifest, name_of, namespace_of, uid_of

HOST_IP = "192.0.2.10"
# What a kubelet waits before each restart; the sandbox says so and waits less.
_FIRST_PAUSE, _LONGEST_PAUSE = 10, 300

Status = dict[str, Any]


def _status(container: Status, state: Status, **more: Any) -> Status:
    return {
        "name": container["name"],
        "state": state,
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": container.get("image", ""),
        "imageID": "",
        "started": False,
    } | more


def waiting(container: Status, reason: str, message: str = "", **more: Any) -> Status:
    """A container that is not started."""
    state = {"reason": reason} | ({"message": message} if message else {})
    return _status(container, {"waiting": state}, **more)


def running(container: Status, now: datetime, *, ready: bool, **more: Any) -> Status:
    """A container that runs."""
    return _status(
        container,
        {"running": {"startedAt": format_time(now)}},
        ready=ready,
        started=True,
        containerID="containerd://0000",
        **more,
    )


def terminated(container: Status, exit_code: int, now: datetime, **more: Any) -> Status:
    """A container that ended now."""
    return _status(container, {"terminated": ended(exit_code, now)}, **more)


def ended(exit_code: int, now: datetime) -> Status:
    """The state of a container that ended now."""
    return {
        "exitCode": exit_code,
        "reason": "Error" if exit_code else "Completed",
        "startedAt": format_time(now),
        "finishedAt": format_time(now),
    }


def crash_loop(
    pod: Manifest, container: Status, restarts: int, now: datetime
) -> Status:
    """A container that waits for its next restart."""
    seconds = min(_FIRST_PAUSE * 2 ** (restarts - 1), _LONGEST_PAUSE)
    minutes, rest = divmod(seconds, 60)
    pause = f"{minutes}m{rest}s" if minutes else f"{seconds}s"
    message = (
        f"back-off {pause} restarting failed container={container['name']} "
        f"pod={name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
    )
    return waiting(
        container,
        "CrashLoopBackOff",
        message,
        restartCount=restarts,
        lastState={"terminated": ended(1, now)},
    )


def pull_error(image: str) -> str:
    """What containerd says of an image that is not there."""
    name = image if "/" in image else f"docker.io/library/{image}"
    return (
        "rpc error: code = NotFound desc = failed to pull and unpack image "
        f'"{name}": failed to resolve reference "{name}": {name}: not found'
    )


def pod_status(
    pod: Manifest, phase: str, statuses: Sequence[Status], now: datetime
) -> Manifest:
    """The Pod's status with these containers, its conditions and its address."""
    old = pod.get("status") or {}
    address = old.get("podIP") or pod_address(uid_of(pod))
    status = old | {
        "phase": phase,
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": old.get("startTime") or format_time(now),
        "containerStatuses": list(statuses),
    }
    inits = pod["spec"].get("initContainers")
    if inits:
        begun = any("waiting" not in one["state"] for one in statuses)
        status["initContainerStatuses"] = [
            _init_status(one, now, begun=begun) for one in inits
        ]
    status["conditions"] = _conditions(pod, phase, statuses, now)
    return status


def _init_status(container: Status, now: datetime, *, begun: bool) -> Status:
    if container.get("restartPolicy") == "Always":
        return running(container, now, ready=True)
    if begun:
        return terminated(container, 0, now, ready=True)
    return waiting(container, "PodInitializing")


def pod_address(uid: str) -> str:
    """An address that stays the same for a Pod."""
    number = crc32(uid.encode())
    return f"10.244.{number >> 8 & 0xFF}.{number % 253 + 1}"


def _conditions(
    pod: Manifest, phase: str, statuses: Sequence[Status], now: datetime
) -> list[Status]:
    old = (pod.get("status") or {}).get("conditions") or []
    unready = [one["name"] for one in statuses if not one["ready"]]
    over = phase in {"Succeeded", "Failed"}
    why: Status = {}
    if over:
        why = {"reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}
    elif unready:
        why = {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{' '.join(unready)}]",
        }
    wanted: list[tuple[str, bool, Status]] = [
        ("Initialized", True, {}),
        ("PodReadyToStartContainers", not over, {}),
        ("Ready", not over and not unready, why),
        ("ContainersReady", not over and not unready, why),
    ]
    conditions = []
    for kind, is_so, more in wanted:
        text = "True" if is_so else "False"
        before = find_condition(old, kind)
        since = format_time(now)
        if before is not None and before.get("status") == text:
            since = before["lastTransitionTime"]
        conditions.append(
            {
                "type": kind,
                "observedGeneration": pod["metadata"].get("generation", 1),
                "status": text,
                "lastProbeTime": None,
                "lastTransitionTime": since,
            }
            | more
        )
    ours = {kind for kind, _, _ in wanted}
    return conditions + [one for one in old if one["type"] not in ours]
