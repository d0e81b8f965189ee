"""Jobs that a step runs: made once, looked at, and read when they end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gitops_wf.core.changeset import Change, ChangeEntry, ChangeSet
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.health import (
    Health,
    health_of,
)
from gitops_wf.core.identifiers import EnvironmentId, Sha, TargetName
from gitops_wf.core.inventory import Manifest, ObjectRef, annotations_of
from gitops_wf.core.phases import Reason
from gitops_wf.core.planned import Planned
from gitops_wf.delivery.choosing import Part
from gitops_wf.delivery.job_manifests import JobOrder, checked_spec, name_of_try
from gitops_wf.delivery.job_states import JobState, read_state
from gitops_wf.delivery.names import CLAIMED, ENVIRONMENT_LABEL, label_value
from gitops_wf.delivery.once import (
    Mark,
    OnceMark,
    marks_of,
)
from gitops_wf.delivery.planning import plan
from gitops_wf.delivery.rehearsing import RehearsedCluster
from gitops_wf.delivery.rendering import Source, desired_objects, read_sources
from gitops_wf.ports.cluster import (
    CONFIG_MAP,
    JOB,
    Cluster,
    Clusters,
    ResourceConflictError,
)
from gitops_wf.ports.content import Content, File
from gitops_wf.ports.manifests import ManifestReader

RUN_ANNOTATION = "gitops-wf.io/run"
COMMIT_ANNOTATION = "gitops-wf.io/commit"
ATTEMPT_ANNOTATION = "gitops-wf.io/attempt"
DIGEST_ANNOTATION = "gitops-wf.io/digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class RanBefore:
    """What may run only once has run: ``place`` keeps that."""

    mark: Mark
    place: str
    is_changed: bool

    def __str__(self) -> str:
        """Say it as people read it."""
        changed = "; its manifest has changed since" * self.is_changed
        return (
            f"ran once before, as {self.mark.job} of commit {self.mark.commit[:8]}: "
            f"not again{changed} ({self.place} keeps that)"
        )


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
        cluster = self._living(order)
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
        _check_owner(order, ref, live)
        return read_state(cluster, ref, live)

    def start_once(self, order: JobOrder) -> JobState | RanBefore | None:
        """Create the Job of a key that has not run, or find it; None: not yet.

        Its name comes from the environment and the key alone, so that there cannot be
        two. One that failed has not run: it is deleted, and made anew once it is gone.
        One that runs is followed, unless it is of an earlier attempt of this run, or
        from another manifest: then it goes first, too.
        """
        cluster = self._living(order)
        before = self._ran_before(cluster, order)
        if before is not None:
            return before
        manifest = self._manifest(order, order.attempt)
        ref = ObjectRef.of(manifest)
        live = cluster.get(JOB, ref.namespace, ref.name)
        if live is None:
            try:
                return read_state(cluster, ref, cluster.create(manifest))
            except ResourceConflictError:
                return None
        _check_owner(order, ref, live)
        if live["metadata"].get("deletionTimestamp"):
            return None
        if not _is_in_the_way(live, manifest):
            return read_state(cluster, ref, live)
        # Foreground: its pods are gone before it is, so none works beside the next.
        uid = str(live["metadata"].get("uid") or "")
        cluster.delete(ref, JOB.version, uid=uid, propagation="Foreground")
        return None

    def note_done(self, order: JobOrder, state: JobState, now: datetime) -> None:
        """Keep that the Job of a key has run to its end."""
        cluster = self._clusters.cluster(order.target, order.id)
        self._mark(cluster, order).write(
            job=str(state.ref), commit=order.commit, digest=order.digest, now=now
        )

    def forget_once(self, environment: EnvironmentId, target: TargetName) -> ChangeSet:
        """Delete what keeps that Jobs have run, and these Jobs.

        For an environment that is removed with its objects: comes it back, its data
        are to be made anew.
        """
        cluster = self._clusters.cluster(target, environment)
        namespace = self._clusters.namespace(target)
        entries = []
        for mark, ref in marks_of(cluster, namespace, environment):
            live = ref and cluster.get(JOB, ref.namespace, ref.name)
            # The Job first: while the mark is there, a repetition finds both.
            if ref and live and _owner(live) == label_value(environment):
                cluster.delete(ref, JOB.version)
                entries.append(ChangeEntry(ref=ref, change=Change.DELETED))
            cluster.delete(mark, CONFIG_MAP.version)
            entries.append(ChangeEntry(ref=mark, change=Change.DELETED))
        return ChangeSet(entries=tuple(entries))

    def plan_forgotten(self, environment: EnvironmentId, target: TargetName) -> Planned:
        """Return what `forget_once` would do; the clusters are rehearsed."""
        cluster = self._clusters.cluster(target, environment)
        if not isinstance(cluster, RehearsedCluster):
            raise TypeError("a plan is made on clusters that write nothing")
        return plan(cluster, (), lambda _: self.forget_once(environment, target))

    def look(
        self, environment: EnvironmentId, target: TargetName, ref: ObjectRef
    ) -> JobState | None:
        """Return how a Job is, None where it is gone."""
        cluster = self._clusters.cluster(target, environment)
        live = cluster.get(JOB, ref.namespace, ref.name)
        return None if live is None else read_state(cluster, ref, live)

    def plan(self, order: JobOrder) -> Planned:
        """Return what a first attempt would do; the clusters are rehearsed."""
        cluster = self._clusters.cluster(order.target, order.id)
        if not isinstance(cluster, RehearsedCluster):
            raise TypeError("a plan is made on clusters that write nothing")
        if not cluster.is_alive:
            raise _never_runs(order.target)
        manifest = self._manifest(order, order.attempt)
        ref = ObjectRef.of(manifest)

        def made(_told: object) -> ChangeSet:
            entry = self._foreseen(cluster, order, manifest)
            return ChangeSet(entries=(entry,))

        return plan(cluster, [ref], made)

    def _foreseen(
        self, cluster: RehearsedCluster, order: JobOrder, manifest: Manifest
    ) -> ChangeEntry:
        ref = ObjectRef.of(manifest)
        before = self._ran_before(cluster, order) if order.once else None
        if before is not None:
            return ChangeEntry(ref=ref, change=Change.SKIPPED, message=str(before))
        live = cluster.get(JOB, ref.namespace, ref.name)
        if live is None:
            cluster.create(manifest)
            return ChangeEntry(ref=ref, change=Change.CREATED)
        _check_owner(order, ref, live)
        if order.once and _is_in_the_way(live, manifest):
            text = "deleted, and made anew"
            return ChangeEntry(ref=ref, change=Change.CONFIGURED, message=text)
        return ChangeEntry(ref=ref, change=Change.UNCHANGED)

    def _living(self, order: JobOrder) -> Cluster:
        cluster = self._clusters.cluster(order.target, order.id)
        if not cluster.has_status:
            raise _never_runs(order.target)
        return cluster

    def _mark(self, cluster: Cluster, order: JobOrder) -> OnceMark:
        return OnceMark(
            cluster=cluster,
            namespace=self._clusters.namespace(order.target),
            environment=order.id,
            key=order.once,
        )

    def _ran_before(self, cluster: Cluster, order: JobOrder) -> RanBefore | None:
        mark = self._mark(cluster, order)
        found = mark.read()
        if found is None:
            return None
        is_changed = found.digest != order.digest
        return RanBefore(mark=found, place=mark.place, is_changed=is_changed)

    def _manifest(self, order: JobOrder, attempt: int) -> Manifest:
        """Return the Job as it is created, within the target's allow-lists."""
        written = order.source.manifest
        metadata = {
            **written["metadata"],
            "name": name_of_try(order, attempt),
            "annotations": {
                **annotations_of(written),
                RUN_ANNOTATION: order.run,
                COMMIT_ANNOTATION: order.commit,
                ATTEMPT_ANNOTATION: str(attempt),
                DIGEST_ANNOTATION: order.digest,
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
                        "spec": checked_spec(order.source, is_kept=bool(order.once)),
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


def _never_runs(target: TargetName) -> TerminalError:
    return TerminalError(
        f"target {target} is a folder: no Job ever runs there",
        reason=Reason.INVALID_DEFINITION,
    )


def _check_owner(order: JobOrder, ref: ObjectRef, live: Manifest) -> None:
    if _owner(live) != label_value(order.id):
        raise TerminalError(
            f"{ref} is there already, and not of environment {order.id}",
            reason=CLAIMED,
        )


def _owner(live: Manifest) -> str:
    return str((live["metadata"].get("labels") or {}).get(ENVIRONMENT_LABEL, ""))


def _is_in_the_way(live: Manifest, manifest: Manifest) -> bool:
    """Whether what is there of a key must go before it can run."""
    health = health_of(live).health
    if health is Health.CURRENT:
        return False
    then = annotations_of(live)
    now: Mapping[str, str] = manifest["metadata"]["annotations"]
    run = (RUN_ANNOTATION, COMMIT_ANNOTATION)
    is_same_run = all(then.get(key) == now[key] for key in run)
    if is_same_run:
        return then.get(ATTEMPT_ANNOTATION) != now[ATTEMPT_ANNOTATION]
    is_changed = then.get(DIGEST_ANNOTATION) != now[DIGEST_ANNOTATION]
    return health is Health.FAILED or is_changed


def _stop(cluster: Cluster, manifest: Manifest) -> None:
    """Delete an earlier attempt's Job, unless it has ended."""
    ref = ObjectRef.of(manifest)
    live = cluster.get(JOB, ref.namespace, ref.name)
    if live is None or health_of(live).health in {Health.CURRENT, Health.FAILED}:
        return
    cluster.delete(ref, JOB.version, uid=str(live["metadata"].get("uid") or ""))
