"""Which controller looks after which resource, and what it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitops_wf.sandbox.controllers import (
    daemonset,
    deployment,
    events,
    job,
    kubelet,
    replicaset,
    statefulset,
)
from gitops_wf.sandbox.controllers.work import Outcome, Pace, Situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A controller of one resource; `owned` names the resources that it makes."""

    resource: str
    reconcile: Callable[[Situation], Outcome]
    owned: tuple[str, ...] = ()
    # Whether it adopts matching objects that no controller owns.
    adopts: bool = False


def controllers(pace: Pace) -> tuple[Controller, ...]:
    """The controllers of objects; namespaces and garbage have their own in the loop."""
    return (
        Controller(
            resource="deployments.apps",
            owned=("replicasets.apps",),
            adopts=True,
            reconcile=deployment.reconcile,
        ),
        Controller(
            resource="replicasets.apps",
            owned=("pods",),
            adopts=True,
            reconcile=replicaset.reconcile,
        ),
        Controller(
            resource="jobs.batch",
            owned=("pods",),
            reconcile=lambda situation: job.reconcile(situation, pace),
        ),
        Controller(
            resource="pods",
            reconcile=lambda situation: kubelet.reconcile(situation, pace),
        ),
        Controller(
            resource="statefulsets.apps",
            owned=("pods", "controllerrevisions.apps"),
            adopts=True,
            reconcile=statefulset.reconcile,
        ),
        Controller(
            resource="daemonsets.apps",
            owned=("pods", "controllerrevisions.apps"),
            adopts=True,
            reconcile=daemonset.reconcile,
        ),
        Controller(resource="events", reconcile=events.expire),
    )
