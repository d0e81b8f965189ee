"""How a Job is: its health, and the log and exit code of its last pod."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.health import (
    Health,
    HealthStatus,
    Surroundings,
    health_of,
    workload_health,
)
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.core.redaction import Redactor, secret_values
from gitops_wf.ports.cluster import (
    POD,
    SECRET,
    Cluster,
    ClusterRefusalError,
)

LOG_LINES = 50
LOG_CHARACTERS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """How a Job is; ``log`` and ``exit_code`` are those of its last pod."""

    ref: ObjectRef
    uid: str
    status: HealthStatus
    log: str = ""
    exit_code: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether it has ended, well or not."""
        return self.status.health in {Health.CURRENT, Health.FAILED}


def read_state(cluster: Cluster, ref: ObjectRef, live: Manifest) -> JobState:
    """Return how a Job is, with its pods' reasons, and their log once it ended."""
    status = health_of(live)
    uid = str(live["metadata"].get("uid") or "")
    if status.health not in {Health.IN_PROGRESS, Health.FAILED, Health.CURRENT}:
        return JobState(ref=ref, uid=uid, status=status)
    pods = cluster.list(POD, ref.namespace, f"job-name={ref.name}")
    if status.health is not Health.CURRENT:
        status = workload_health(live, Surroundings(pods=pods))
    state = JobState(ref=ref, uid=uid, status=status)
    if not state.is_final or not pods:
        return state
    last = max(pods, key=_age)
    return JobState(
        ref=ref,
        uid=uid,
        status=status,
        log=_log(cluster, last),
        exit_code=_exit_code(last),
    )


def _age(pod: Manifest) -> tuple[str, str]:
    metadata = pod["metadata"]
    return str(metadata.get("creationTimestamp") or ""), str(metadata.get("name"))


def _log(cluster: Cluster, pod: Manifest) -> str:
    """Return the end of a pod's log without the values of the Secrets that it uses.

    Where one of them may not be read, nobody can say what to mask.
    """
    metadata = pod["metadata"]
    namespace = str(metadata.get("namespace") or "")
    redactor = Redactor()
    for name in sorted(secret_names(pod.get("spec") or {})):
        try:
            secret = cluster.get(SECRET, namespace, name)
        except ClusterRefusalError as exc:
            return (
                f"(the log is withheld: Secret {cut(name)} cannot be read to mask its "
                f"values: {exc.reason}; kubectl logs -n {namespace} {metadata['name']})"
            )
        for value in secret_values(secret or {}):
            redactor.learn(value)
    log = cluster.logs(namespace, str(metadata["name"]), tail=LOG_LINES)
    return _tail(redactor.text(log))


def secret_names(spec: Mapping[str, Any]) -> set[str]:
    """Return the Secrets that a pod's containers are given, by its spec."""
    found: list[Any] = []
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            found += [
                entry.get("secretRef") for entry in container.get("envFrom") or ()
            ]
            found += [
                (entry.get("valueFrom") or {}).get("secretKeyRef")
                for entry in container.get("env") or ()
            ]
    for volume in spec.get("volumes") or ():
        secret = volume.get("secret") or {}
        found.append({"name": secret.get("secretName")})
        projected = (volume.get("projected") or {}).get("sources") or ()
        found += [source.get("secret") for source in projected]
    return {str(entry["name"]) for entry in found if entry and entry.get("name")}


def _tail(text: str) -> str:
    return text if len(text) <= LOG_CHARACTERS else "…" + text[1 - LOG_CHARACTERS :]


def _exit_code(pod: Manifest) -> int | None:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    codes = [
        ended["exitCode"]
        for status in statuses
        if (ended := (status.get("state") or {}).get("terminated"))
    ]
    return next((code for code in codes if code), codes[0] if codes else None)
