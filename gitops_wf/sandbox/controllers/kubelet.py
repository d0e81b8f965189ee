"""The scheduler and the kubelet of the one node: Pods start, run, fail, end and go.

Each call makes one step. Where a step takes time it is counted from `since`, so a
sandbox that was restarted goes on with whatever stage is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.sandbox.controllers.container_status import (
    crash_loop,
    pod_status,
    pull_error,
    running,
    terminated,
    waiting,
)
from gitops_wf.sandbox.controllers.faults import Fault, delay_of, fault_of
from gitops_wf.sandbox.controllers.reading import phase_of
from gitops_wf.sandbox.controllers.work import (
    KUBELET,
    NOTHING,
    SCHEDULER,
    Emit,
    Outcome,
    Pace,
    Situation,
    Verb,
    Write,
    delete,
    update_status,
)
from gitops_wf.sandbox.objects import Manifest, is_deleting, name_of, namespace_of

NODE = "node-1"
# The pauses between restarts of a crashing container, in delays of the node.
_LONGEST_PAUSE = 200


def reconcile(situation: Situation, pace: Pace) -> Outcome:
    """The next step of a Pod."""
    pod = situation.object
    delay = delay_of(pod, pace.delay)
    if is_deleting(pod):
        return _terminate(situation, delay, pace)
    if not pod["spec"].get("nodeName"):
        return _schedule(situation, delay, pace)
    if phase_of(pod) in {"Succeeded", "Failed"}:
        return NOTHING
    statuses = (pod.get("status") or {}).get("containerStatuses")
    if not statuses and not pace.quiet:
        return _create_containers(situation)
    if not statuses or any(_waits_for(one, "ContainerCreating") for one in statuses):
        return _start(situation, delay / 2, pace)
    return _go_on(situation, delay, statuses, pace)


def _waits_for(status: dict[str, Any], *reasons: str) -> bool:
    return (status["state"].get("waiting") or {}).get("reason") in reasons


def _later(situation: Situation, wait: timedelta) -> Outcome | None:
    """An outcome that only waits, until `wait` is over."""
    due = situation.since + wait
    return Outcome(due=due) if due > situation.now else None


def _event(pod: Manifest, reason: str, message: str, *, warning: bool = False) -> Emit:
    return Emit(
        about=pod,
        reason=reason,
        message=message,
        component="kubelet",
        warning=warning,
        manager=KUBELET,
    )


def _step(
    situation: Situation,
    phase: str,
    statuses: Sequence[dict[str, Any]],
    events: Sequence[Emit] = (),
) -> Outcome:
    pod = situation.object
    status = pod_status(pod, phase, statuses, situation.now)
    return Outcome(
        writes=(update_status("pods", pod | {"status": status}, KUBELET), *events)
    )


def _schedule(situation: Situation, delay: timedelta, pace: Pace) -> Outcome:
    pod = situation.object
    if pod["spec"].get("schedulerName", "default-scheduler") != "default-scheduler":
        return NOTHING
    if pod["spec"].get("schedulingGates"):
        return NOTHING
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name_of(pod), "namespace": namespace_of(pod)},
        "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
    }
    event = Emit(
        about=pod,
        reason="Scheduled",
        message=f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {NODE}",
        component="default-scheduler",
        manager=SCHEDULER,
    )
    bind = Write(
        verb=Verb.CREATE,
        resource="pods",
        object=binding,
        manager=SCHEDULER,
        subresource="binding",
        event=None if pace.quiet else event,
    )
    return _later(situation, delay / 2) or Outcome(writes=(bind,))


def _terminate(situation: Situation, delay: timedelta, pace: Pace) -> Outcome:
    pod = situation.object
    if pod["metadata"].get("deletionGracePeriodSeconds") == 0:
        return NOTHING
    wait = _later(situation, delay / 2)
    if wait is not None:
        return wait
    gone = delete("pods", pod, grace=0, manager=KUBELET)
    killing: list[Emit] = []
    if not pace.quiet and phase_of(pod) == "Running":
        killing = [
            _event(pod, "Killing", f"Stopping container {one['name']}")
            for one in pod["spec"]["containers"]
        ]
    return Outcome(writes=(*killing, gone))


def _create_containers(situation: Situation) -> Outcome:
    containers = situation.object["spec"]["containers"]
    statuses = [waiting(one, "ContainerCreating") for one in containers]
    return _step(situation, "Pending", statuses)


def _start(situation: Situation, wait: timedelta, pace: Pace) -> Outcome:
    pod, now = situation.object, situation.now
    later = _later(situation, wait)
    if later is not None:
        return later
    containers = pod["spec"]["containers"]
    faults = [fault_of(pod, one) for one in containers]
    if pace.quiet and _will_end(pod, faults) and Fault.PULL not in faults:
        return _end(situation, faults)
    statuses = [
        _first_status(one, fault, now, pace)
        for one, fault in zip(containers, faults, strict=True)
    ]
    events: list[Emit] = []
    if not pace.quiet:
        for one, fault in zip(containers, faults, strict=True):
            events += _start_events(pod, one, fault)
    phase = "Pending" if Fault.PULL in faults else "Running"
    return _step(situation, phase, statuses, events)


def _first_status(
    container: dict[str, Any], fault: Fault, now: datetime, pace: Pace
) -> dict[str, Any]:
    match fault:
        case Fault.PULL if pace.quiet:
            text = f'Back-off pulling image "{container["image"]}"'
            return waiting(container, "ImagePullBackOff", text)
        case Fault.PULL:
            return waiting(container, "ErrImagePull", pull_error(container["image"]))
        case Fault.CRASH | Fault.EXIT:
            return terminated(container, 1, now, containerID="containerd://0000")
        case Fault.NOT_READY:
            return running(container, now, ready=False)
        case _:
            return running(container, now, ready=True)


def _start_events(pod: Manifest, container: dict[str, Any], fault: Fault) -> list[Emit]:
    image, name = container["image"], container["name"]
    if fault is Fault.PULL:
        failed = f'Failed to pull image "{image}": {pull_error(image)}'
        return [
            _event(pod, "Pulling", f'Pulling image "{image}"'),
            _event(pod, "Failed", failed, warning=True),
            _event(pod, "Failed", "Error: ErrImagePull", warning=True),
        ]
    present = f'Container image "{image}" already present on machine'
    return [
        _event(pod, "Pulled", present),
        _event(pod, "Created", f"Created container: {name}"),
        _event(pod, "Started", f"Started container {name}"),
    ]


def _will_end(pod: Manifest, faults: Sequence[Fault]) -> bool:
    """Whether the Pod runs to an end rather than for ever."""
    policy = pod["spec"].get("restartPolicy", "Always")
    failing = bool({Fault.EXIT, Fault.CRASH} & set(faults))
    if policy == "Always" or Fault.HANG in faults or Fault.NOT_READY in faults:
        return False
    return policy == "Never" or not failing


def _end(situation: Situation, faults: Sequence[Fault]) -> Outcome:
    pod, now = situation.object, situation.now
    codes = [int(fault in {Fault.EXIT, Fault.CRASH}) for fault in faults]
    statuses = [
        terminated(one, code, now)
        for one, code in zip(pod["spec"]["containers"], codes, strict=True)
    ]
    return _step(situation, "Failed" if any(codes) else "Succeeded", statuses)


def _go_on(
    situation: Situation,
    delay: timedelta,
    statuses: Sequence[dict[str, Any]],
    pace: Pace,
) -> Outcome:
    pod = situation.object
    if any(_waits_for(one, "ErrImagePull") for one in statuses):
        return _later(situation, delay) or _back_off_pull(situation, statuses)
    if any(_waits_for(one, "ImagePullBackOff") for one in statuses):
        return NOTHING
    faults = [fault_of(pod, one) for one in pod["spec"]["containers"]]
    if _will_end(pod, faults):
        return _later(situation, delay) or _end(situation, faults)
    if {Fault.CRASH, Fault.EXIT} & set(faults):
        return _crash(situation, delay, statuses, faults, pace)
    return NOTHING


def _back_off_pull(situation: Situation, statuses: Sequence[dict[str, Any]]) -> Outcome:
    pod = situation.object
    events: list[Emit] = []
    after = []
    for container, status in zip(pod["spec"]["containers"], statuses, strict=True):
        if not _waits_for(status, "ErrImagePull"):
            after.append(status)
            continue
        image = container["image"]
        text = f'Back-off pulling image "{image}"'
        detail = f"{text}: ErrImagePull: {pull_error(image)}"
        after.append(waiting(container, "ImagePullBackOff", detail))
        events += [
            _event(pod, "BackOff", text),
            _event(pod, "Failed", "Error: ImagePullBackOff", warning=True),
        ]
    return _step(situation, "Pending", after, events)


def _crash(
    situation: Situation,
    delay: timedelta,
    statuses: Sequence[dict[str, Any]],
    faults: Sequence[Fault],
    pace: Pace,
) -> Outcome:
    """The next restart of the crashing containers, which ends at once."""
    pod, now = situation.object, situation.now
    restarts = max(one["restartCount"] for one in statuses)
    pause = delay if restarts == 0 else delay * min(10 * 2**restarts, _LONGEST_PAUSE)
    later = _later(situation, pause)
    if later is not None:
        return later
    after, events = [], []
    for container, status, fault in zip(
        pod["spec"]["containers"], statuses, faults, strict=True
    ):
        if fault not in {Fault.CRASH, Fault.EXIT}:
            after.append(status)
            continue
        after.append(crash_loop(pod, container, restarts + 1, now))
        if not pace.quiet:
            if restarts:
                events += _start_events(pod, container, fault)
            text = f"Back-off restarting failed container {container['name']} in pod "
            text += f"{name_of(pod)}_{namespace_of(pod)}({pod['metadata']['uid']})"
            events.append(_event(pod, "BackOff", text, warning=True))
    return _step(situation, "Running", after, events)
