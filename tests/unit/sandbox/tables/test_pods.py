from __future__ import annotations

import pytest

from gitops_wf.sandbox.tables.pods import pod_status


def a_pod(phase="Running", *, states=(), deleting=False, **status) -> dict:
    containers = [
        {"name": str(index), "ready": "running" in state, "state": state}
        for index, state in enumerate(states)
    ]
    meta = {"name": "p"}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {
        "metadata": meta,
        "spec": {"containers": [{}], "initContainers": [{}, {}]},
        "status": {"phase": phase, "containerStatuses": containers, **status},
    }


RUNNING = {"running": {}}
WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}
ENDED = {"terminated": {"exitCode": 0, "reason": "Completed"}}
KILLED = {"terminated": {"exitCode": 137, "signal": 9}}
FAILED = {"terminated": {"exitCode": 3}}


@pytest.mark.parametrize(
    ("pod", "shown"),
    [
        (a_pod("Pending"), "Pending"),
        (a_pod(states=[RUNNING]), "Running"),
        (a_pod(states=[RUNNING, WAITING]), "CrashLoopBackOff"),
        (a_pod("Failed", states=[KILLED]), "Signal:9"),
        (a_pod("Failed", states=[FAILED]), "ExitCode:3"),
        (a_pod("Failed", reason="Evicted"), "Evicted"),
        (a_pod(states=[ENDED, RUNNING]), "NotReady"),
        (a_pod("Succeeded", states=[ENDED]), "Completed"),
        (a_pod(states=[RUNNING], deleting=True), "Terminating"),
        (a_pod("Failed", states=[FAILED], deleting=True), "ExitCode:3"),
        (a_pod("Pending", initContainerStatuses=[{"state": RUNNING}]), "Init:0/2"),
        (
            a_pod("Pending", initContainerStatuses=[{"state": ENDED}, {"state": {}}]),
            "Init:1/2",
        ),
        (
            a_pod("Pending", initContainerStatuses=[{"state": WAITING}]),
            "Init:CrashLoopBackOff",
        ),
        (
            a_pod("Pending", initContainerStatuses=[{"state": FAILED}]),
            "Init:ExitCode:3",
        ),
    ],
)
def test_the_status_of_a_pod_is_the_reason_that_matters_most(pod, shown):
    assert pod_status(pod) == shown
