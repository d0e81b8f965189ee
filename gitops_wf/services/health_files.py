"""Health of the objects in files: `gitops-wf health -f FILE|DIR`, without a cluster."""

from collections.abc import Iterable
from dataclasses import dataclass

from gitops_wf.core.health import (
    NO_RULES,
    Health,
    HealthRules,
    Surroundings,
    health_of,
    workload_health,
)
from gitops_wf.core.health.failfast import is_workload
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.delivery.rendering import read_sources
from gitops_wf.ports.content import File
from gitops_wf.ports.manifests import ManifestReader


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRow:
    """One object: where it stands (``path:line``) and how it is."""

    source: str
    object: str
    status: Health
    message: str


def health_of_files(
    files: Iterable[File], read: ManifestReader, rules: HealthRules = NO_RULES
) -> list[HealthRow]:
    """Return a row for each object, in the order of the files.

    ReplicaSets, Pods and Events among them tell of their workloads, so the output
    of `kubectl get deploy,rs,pods,events -o yaml` is judged as on a cluster.
    Errors: DefinitionError for what is no object.
    """
    sources = read_sources(files, read)
    of_kind: dict[str, list[dict[str, object]]] = {}
    for source in sources:
        of_kind.setdefault(str(source.manifest["kind"]), []).append(
            dict(source.manifest)
        )
    around = Surroundings(
        replica_sets=of_kind.get("ReplicaSet", ()),
        pods=of_kind.get("Pod", ()),
        events=of_kind.get("Event", ()),
    )
    rows = []
    for source in sources:
        manifest = source.manifest
        status = (
            workload_health(manifest, around, rules)
            if is_workload(manifest)
            else health_of(manifest, rules)
        )
        rows.append(
            HealthRow(
                source=f"{source.path}:{source.line}",
                object=str(ObjectRef.of(manifest)),
                status=status.health,
                message=status.message,
            )
        )
    return rows
