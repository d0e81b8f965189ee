"""Which controller looks after which resource, and what it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gitops_wf.sandbox.controllers import (
    aggregation,
    autoscaler,
    balancer,
    cloud,
    daemonset,
    deployment,
    disruption,
    events,
    job,
    kubelet,
    replicaset,
    statefulset,
    volumes,
)
from gitops_wf.sandbox.controllers.index import Index, Key
from gitops_wf.sandbox.controllers.work import Outcome, Pace, Situation
from gitops_wf.sandbox.objects import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A controller of one resource; `owned` names the resources that it makes."""

    resource: str
    reconcile: Callable[[Situation], Outcome]
    owned: tuple[str, ...] = ()
    # Whether it adopts matching objects that no controller owns.
    adopts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Overseer:
    """A controller that looks at more than one object and those that it owns.

    `wakes` gives the objects to look at after a change of another one, or of itself.
    """

    name: str
    wakes: Callable[[Key, Manifest, Index], Iterable[Key]]
    reconcile: Callable[[Situation, Index], Outcome]


def overseers(pace: Pace) -> tuple[Overseer, ...]:
    """Those who look at more than what they own."""
    return (
        Overseer(
            name="aggregation", wakes=aggregation.wakes, reconcile=aggregation.reconcile
        ),
        Overseer(name="claim", wakes=volumes.wake_claims, reconcile=volumes.claim),
        Overseer(name="volume", wakes=volumes.wake_volumes, reconcile=volumes.volume),
        Overseer(
            name="disruption", wakes=disruption.wakes, reconcile=disruption.reconcile
        ),
        Overseer(
            name="autoscaler", wakes=autoscaler.wakes, reconcile=autoscaler.reconcile
        ),
        Overseer(
            name="cloud",
            wakes=cloud.wakes,
            reconcile=lambda situation, index: cloud.reconcile(
                situation, index, pace.delay
            ),
        ),
    )


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
        Controller(
            resource=balancer.SERVICES,
            reconcile=lambda situation: balancer.reconcile(situation, pace),
        ),
        Controller(resource="events", reconcile=events.expire),
    )
