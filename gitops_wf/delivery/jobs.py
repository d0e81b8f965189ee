"""Jobs that a step runs: made once, looked at, and read when they end."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.health import (
    Health,
    HealthStatus,
    Surroundings,
    health_of,
    workload_health,
)
from gitops_wf.core.identifiers import EnvironmentId, Sha, TargetName
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.core.redaction import Redactor, secret_values
from gitops_wf.delivery.choosing import Part
from gitops_wf.delivery.names import CLAIMED, ENVIRONMENT_LABEL, label_value
from gitops_wf.delivery.rendering import Source, desired_objects, read_sources
from gitops_wf.ports.cluster import (
    ApiResource,
    Cluster,
    ClusterRefusalError,
    Clusters,
    ResourceConflictError,
)
from gitops_wf.ports.content import Content, File
from gitops_wf.ports.manifests import ManifestReader

RUN_ANNOTATION = "gitops-wf.io/run"
COMMIT_ANNOTATION = "gitops-wf.io/commit"
TTL = 24 * 60 * 60
"""Seconds that a finished Job is kept, unless its manifest says otherwise."""

LOG_LINES = 50
LOG_CHARACTERS = 4096
_NAME_LIMIT = 63 - 6
"""A Job's pods are named after it, with a suffix of six."""

JOB = ApiResource(
    group="batch", version="v1", kind="Job", plural="jobs", is_namespaced=True
)
SECRET = ApiResource(
    group="", version="v1", kind="Secret", plural="secrets", is_namespaced=True
)
POD = ApiResource(group="", version="v1", kind="Pod", plural="pods", is_namespaced=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """A Job to run: for which revision, and which try of which run.

    ``source`` is its manifest as written, ``namespace`` where it runs, empty for
    the target's own. ``run`` is shown to people; it is no part of the name.
    """

    id: EnvironmentId
    commit: Sha
    run: str
    run_ordinal: int
    step: str
    attempt: int
    target: TargetName
    source: Source
    namespace: str = ""


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


class JobRuns:
    """Runs Jobs on targets; keeps nothing between calls."""

    def __init__(
        self, *, clusters: Clusters, content: Content, read: ManifestReader
    ) -> None:
        self._clusters = clusters
        self._content = content
        self._read = read

    def source(
        self, id_: EnvironmentId, environment: Environment, commit: Sha, path: str
    ) -> Source:
        """Return the Job that a file holds; the path is from the repository's root.

        Errors: DefinitionError where it holds none, or more than one.
        """
        file = self._content.file(id_, commit, path)
        if file is None:
            raise TerminalError(
                f"manifest {cut(path)} of environment {environment.name}: no such file",
                reason=Reason.INVALID_DEFINITION,
            )
        sources = read_sources([File(path=path, data=file.data)], self._read)
        jobs = [entry for entry in sources if entry.manifest["kind"] == "Job"]
        if len(jobs) != 1 or len(sources) != 1:
            raise DefinitionError(
                path, None, "must hold exactly one Job, and nothing else"
            )
        return jobs[0]

    def start(self, order: JobOrder) -> JobState:
        """Create the Job, or find the one that this very attempt has made.

        The Job of the attempt before goes first if it has not ended: two of them
        must not initialise the same data at once.
        """
        cluster = self._clusters.cluster(order.target, order.id)
        if not cluster.has_status:
            raise TerminalError(
                f"target {order.target} is a folder: no Job ever runs there",
                reason=Reason.INVALID_DEFINITION,
            )
        manifest = self._manifest(order, order.attempt)
        if order.attempt > 1:
            _stop(cluster, self._manifest(order, order.attempt - 1))
        ref = ObjectRef.of(manifest)
        live = cluster.get(JOB, ref.namespace, ref.name)
        if live is None:
            try:
                live = cluster.create(manifest)
            except ResourceConflictError:
                live = cluster.get(JOB, ref.namespace, ref.name)
                if live is None:
                    raise
        owner = (live["metadata"].get("labels") or {}).get(ENVIRONMENT_LABEL)
        if owner != label_value(order.id):
            raise TerminalError(
                f"{ref} is there already, and not of environment {order.id}",
                reason=CLAIMED,
            )
        return _state(cluster, ref, live)

    def look(
        self, environment: EnvironmentId, target: TargetName, ref: ObjectRef
    ) -> JobState | None:
        """Return how a Job is, None where it is gone."""
        cluster = self._clusters.cluster(target, environment)
        live = cluster.get(JOB, ref.namespace, ref.name)
        return None if live is None else _state(cluster, ref, live)

    def _manifest(self, order: JobOrder, attempt: int) -> Manifest:
        """Return the Job as it is created, within the target's allow-lists."""
        written = order.source.manifest
        metadata = {
            **written["metadata"],
            "name": job_name(
                str(written["metadata"]["name"]),
                environment=order.id,
                commit=order.commit,
                run_ordinal=order.run_ordinal,
                step=order.step,
                attempt=attempt,
            ),
            "annotations": {
                **(written["metadata"].get("annotations") or {}),
                RUN_ANNOTATION: order.run,
                COMMIT_ANNOTATION: order.commit,
            },
        }
        if order.namespace:
            metadata["namespace"] = order.namespace
        [desired] = desired_objects(
            [
                Source(
                    manifest={
                        **written,
                        "metadata": metadata,
                        "spec": _spec(order.source),
                    },
                    path=order.source.path,
                    line=order.source.line,
                )
            ],
            namespace=self._clusters.namespace(order.target),
            allowed=self._clusters.allowed(order.target),
            is_namespaced=lambda _version, _kind: True,
            part=Part(),
            labels={ENVIRONMENT_LABEL: label_value(order.id)},
        )
        return desired.manifest


def job_name(
    base: str,
    *,
    environment: EnvironmentId,
    commit: Sha,
    run_ordinal: int,
    step: str,
    attempt: int,
) -> str:
    """Return ``<base>-<sha>-<mark>``: the same for each repetition of one attempt.

    The revision's number is no part of it: after the loss of a store numbers may
    come again, and would find another revision's Job.
    """
    text = "\n".join((environment, commit, str(run_ordinal), step, str(attempt)))
    mark = hashlib.sha256(text.encode()).hexdigest()[:6]
    tail = f"-{commit[:8]}-{mark}"
    stem = re.sub(r"[^a-z0-9-]+", "-", base.lower())[: _NAME_LIMIT - len(tail)]
    return stem.strip("-") + tail


def short_job(
    name: str,
    *,
    image: str,
    command: Sequence[str] = (),
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    env_from: Sequence[Mapping[str, Any]] = (),
    backoff_limit: int | None = None,
) -> Manifest:
    """Return a Job of one container."""
    container: dict[str, Any] = {"name": "main", "image": image}
    if command:
        container["command"] = list(command)
    if args:
        container["args"] = list(args)
    if env:
        container["env"] = [{"name": key, "value": env[key]} for key in env]
    if env_from:
        container["envFrom"] = [dict(entry) for entry in env_from]
    spec: dict[str, Any] = {"template": {"spec": {"containers": [container]}}}
    if backoff_limit is not None:
        spec["backoffLimit"] = backoff_limit
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": spec,
    }


def _state(cluster: Cluster, ref: ObjectRef, live: Manifest) -> JobState:
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


def _spec(source: Source) -> Mapping[str, Any]:
    """Return the Job's spec with a restartPolicy and a time to live."""
    spec: Any = source.manifest.get("spec")
    template = spec.get("template") if isinstance(spec, Mapping) else None
    inner = template.get("spec") if isinstance(template, Mapping) else None
    if not (
        isinstance(spec, Mapping)
        and isinstance(template, Mapping)
        and isinstance(inner, Mapping)
        and inner.get("containers")
    ):
        raise source.error("Job has no spec.template.spec.containers")
    return {
        "ttlSecondsAfterFinished": TTL,
        **spec,
        "template": {**template, "spec": {"restartPolicy": "Never", **inner}},
    }


def _stop(cluster: Cluster, manifest: Manifest) -> None:
    """Delete an earlier attempt's Job, unless it has ended."""
    ref = ObjectRef.of(manifest)
    live = cluster.get(JOB, ref.namespace, ref.name)
    if live is None or health_of(live).health in {Health.CURRENT, Health.FAILED}:
        return
    cluster.delete(ref, JOB.version, uid=str(live["metadata"].get("uid") or ""))


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
