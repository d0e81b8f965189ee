"""Whether a workload will not come up, in its pods' own words.

A Deployment waits ten minutes (progressDeadlineSeconds) before it says that an
image does not exist. Its pods know at once. Only pods of the current template
count: an old pod that crashes is no reason to call the new revision failed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gitops_wf.core.health.compute import health_of
from gitops_wf.core.health.rules import NO_RULES, HealthRules
from gitops_wf.core.health.status import (
    Health,
    HealthStatus,
    condition,
    failed,
    in_progress,
    is_true,
    maps,
    number,
    part,
    said,
)
from gitops_wf.core.inventory import Manifest, ObjectRef

CRASHES = 2
"""Restarts after which CrashLoopBackOff is an answer: one may be bad luck, such
as a database that was not up yet."""

_FATAL_WAITING = frozenset(
    {
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
"""Waiting reasons of the kubelet that a person has to mend. ErrImagePull is not
among them: it is the first try, which may be a registry's hiccup."""

WORKLOADS = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"})


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Objects of a namespace, for all of its workloads: each finds its own by uid."""

    replica_sets: Sequence[Manifest] = ()
    pods: Sequence[Manifest] = ()
    events: Sequence[Manifest] = ()

    def replica_sets_of(self, owner: Manifest) -> Sequence[Manifest]:
        """Return the ReplicaSets that a Deployment controls."""
        return self._replica_sets.get(_uid(owner), ())

    def pods_of(self, owner: Manifest) -> Sequence[Manifest]:
        """Return the pods that an object controls."""
        return self._pods.get(_uid(owner), ())

    def events_of(self, manifest: Manifest) -> Sequence[Manifest]:
        """Return the events about an object, as they were listed."""
        return self._events.get(_uid(manifest), ())

    @cached_property
    def _replica_sets(self) -> Mapping[str, Sequence[Manifest]]:
        return _by_controller(self.replica_sets)

    @cached_property
    def _pods(self) -> Mapping[str, Sequence[Manifest]]:
        return _by_controller(self.pods)

    @cached_property
    def _events(self) -> Mapping[str, Sequence[Manifest]]:
        found: dict[str, list[Manifest]] = defaultdict(list)
        for event in self.events:
            uid = part(event, "involvedObject").get("uid")
            if uid:
                found[str(uid)].append(event)
        return found


def is_workload(manifest: Manifest) -> bool:
    """Whether the object is a pod or makes pods, which can tell more than it does."""
    ref = ObjectRef.of(manifest)
    if ref.kind == "Pod":
        return ref.group == ""
    return ref.kind in WORKLOADS and ref.group in {"apps", "batch"}


def workload_health(
    workload: Manifest, around: Surroundings, rules: HealthRules = NO_RULES
) -> HealthStatus:
    """Return the health of a workload, with its pods' reason where one has failed."""
    status = health_of(workload, rules)
    if status.health is Health.FAILED:
        ended = _first_fault(current_pods(workload, around), around, ended=True)
        if not ended:
            return status
        return failed(f"{status.message.rstrip('.')}: {ended}")
    if status.health is not Health.IN_PROGRESS or not _is_observed(workload):
        # Until its controller has seen the change, its pods are of the one before.
        return status
    kind = ObjectRef.of(workload).kind
    # A Job retries its pods itself: only what never starts fails it before its time.
    fault = _first_fault(current_pods(workload, around), around, ended=kind != "Job")
    if fault:
        return failed(fault)
    return _explained(workload, status, around)


def _is_observed(workload: Manifest) -> bool:
    observed = part(workload, "status").get("observedGeneration")
    # A Job observes no generations.
    return observed is None or (
        observed == part(workload, "metadata").get("generation")
    )


def current_pods(workload: Manifest, around: Surroundings) -> list[Manifest]:
    """Return the pods of the workload's newest template that are not going away."""
    match ObjectRef.of(workload).kind:
        case "Deployment":
            newest = newest_replica_set(workload, around)
            pods = around.pods_of(newest) if newest else ()
        case "StatefulSet":
            pods = _of_hash(
                around.pods_of(workload),
                "controller-revision-hash",
                str(part(workload, "status").get("updateRevision") or ""),
            )
        case "DaemonSet":
            pods = _of_hash(
                around.pods_of(workload),
                "pod-template-generation",
                str(
                    part(workload, "metadata", "annotations").get(
                        "deprecated.daemonset.template.generation"
                    )
                    or ""
                ),
            )
        case "Pod":
            pods = [workload]
        case _:
            pods = around.pods_of(workload)
    return [pod for pod in pods if not part(pod, "metadata").get("deletionTimestamp")]


def newest_replica_set(deployment: Manifest, around: Surroundings) -> Manifest | None:
    """Return the ReplicaSet of the Deployment's present template.

    It is the one whose revision annotation the Deployment carries; a Deployment
    whose controller has not caught up has none yet.
    """
    revision = _revision(deployment)
    for replica_set in around.replica_sets_of(deployment):
        if revision and _revision(replica_set) == revision:
            return replica_set
    return None


def _revision(manifest: Manifest) -> str:
    annotations = part(manifest, "metadata", "annotations")
    return str(annotations.get("deployment.kubernetes.io/revision") or "")


def _uid(manifest: Manifest) -> str:
    return str(part(manifest, "metadata").get("uid") or "")


def _by_controller(objects: Iterable[Manifest]) -> Mapping[str, Sequence[Manifest]]:
    found: dict[str, list[Manifest]] = defaultdict(list)
    for entry in objects:
        for ref in maps(part(entry, "metadata").get("ownerReferences")):
            if ref.get("uid") and ref.get("controller"):
                found[str(ref["uid"])].append(entry)
    return found


def _of_hash(pods: Sequence[Manifest], label: str, value: str) -> list[Manifest]:
    return [
        pod
        for pod in pods
        if not value or part(pod, "metadata", "labels").get(label) in {None, value}
    ]


def _first_fault(pods: Iterable[Manifest], around: Surroundings, *, ended: bool) -> str:
    """Return ``Pod name: reason: message`` of the first pod that has failed."""
    for pod in sorted(pods, key=lambda pod: str(part(pod, "metadata").get("name"))):
        fault = pod_fault(pod, around, ended=ended)
        if fault:
            return f"Pod {part(pod, 'metadata').get('name')}: {fault}"
    return ""


def pod_fault(pod: Manifest, around: Surroundings, *, ended: bool = True) -> str:
    """Return why a pod will not run, or nothing.

    ``ended`` says whether containers that ran and ended with an error count.
    """
    status = part(pod, "status")
    containers = maps(status.get("initContainerStatuses")) + maps(
        status.get("containerStatuses")
    )
    for container in containers:
        waiting = part(container, "state", "waiting")
        reason = str(waiting.get("reason") or "")
        if reason in _FATAL_WAITING:
            message = str(waiting.get("message") or "")
            more = _pull_error(container, around.events_of(pod), message)
            return ": ".join(text for text in (reason, message, more) if text)
        if (
            ended
            and reason == "CrashLoopBackOff"
            and number(container, "restartCount") >= CRASHES
        ):
            return _crash(container)
    if ended and status.get("phase") == "Failed":
        exits = [
            exit_text(container)
            for container in containers
            if number(part(container, "state", "terminated"), "exitCode")
        ]
        said_so = str(status.get("message") or status.get("reason") or "")
        return "; ".join(exits) or said_so or "failed"
    return ""


def exit_text(container: Mapping[str, Any]) -> str:
    """Return ``container main exited with 1 (Error): message``."""
    terminated = part(container, "state", "terminated") or part(
        container, "lastState", "terminated"
    )
    reason = terminated.get("reason")
    message = str(terminated.get("message") or "")
    text = f"container {container.get('name')} exited with {terminated.get('exitCode')}"
    text += f" ({reason})" if reason else ""
    return f"{text}: {message}" if message else text


def _crash(container: Mapping[str, Any]) -> str:
    restarts = number(container, "restartCount")
    text = f"CrashLoopBackOff: container {container.get('name')}"
    if part(container, "lastState", "terminated"):
        text = f"CrashLoopBackOff: {exit_text(container)}"
    return f"{text}, {restarts} restarts"


def _pull_error(
    container: Mapping[str, Any],
    events: Sequence[Manifest],
    message: str,
) -> str:
    """Return what the registry answered: only the kubelet's event tells it.

    Newer kubelets put it into the waiting message themselves.
    """
    image = str(container.get("image") or "")
    for event in reversed(events):
        text = str(event.get("message") or "")
        if (
            event.get("reason") == "Failed"
            and text.startswith("Failed to pull image")
            and image in text
        ):
            cause = text.partition('": ')[2] or text
            return "" if cause in message else cause
    return ""


def _explained(
    workload: Manifest, status: HealthStatus, around: Surroundings
) -> HealthStatus:
    """Return InProgress with what holds the workload up, where that can be told."""
    failure = condition(workload, "ReplicaFailure")
    if failure is not None and is_true(workload, "ReplicaFailure"):
        return in_progress(f"{status.message}: {said(failure)}")
    for pod in current_pods(workload, around):
        scheduled = condition(pod, "PodScheduled") or {}
        if scheduled.get("status") == "False":
            name = part(pod, "metadata").get("name")
            return in_progress(f"{status.message}: Pod {name}: {said(scheduled)}")
    for event in reversed(around.events_of(workload)):
        if event.get("type") == "Warning":
            return in_progress(f"{status.message}: {said(event)}")
    return status
