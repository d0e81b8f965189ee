"""The ReplicaSet of a Deployment's template: name, labels, revision annotations."""

from __future__ import annotations

from gitops_wf.sandbox.controllers.reading import annotations_of, controlled_by
from gitops_wf.sandbox.controllers.rollout_sizes import (
    DESIRED,
    MAXIMUM,
    max_surge,
    wanted,
)
from gitops_wf.sandbox.controllers.template_hash import template_hash
from gitops_wf.sandbox.objects import Manifest, copy, name_of, namespace_of

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
HASH_LABEL = "pod-template-hash"
_NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
}


def revision_of(replica_set: Manifest) -> int:
    """The revision that the ReplicaSet stands for; 0 without one."""
    text = annotations_of(replica_set).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def is_of_template(replica_set: Manifest, deployment: Manifest) -> bool:
    """Whether its Pods are those of the Deployment's template."""
    return _without_hash(replica_set["spec"]["template"]) == _without_hash(
        deployment["spec"]["template"]
    )


def _without_hash(template: Manifest) -> Manifest:
    meta = dict(template.get("metadata") or {})
    # Empty maps and null are the same template as nothing.
    meta["labels"] = {
        key: value
        for key, value in (meta.get("labels") or {}).items()
        if key != HASH_LABEL
    }
    return {
        "metadata": {key: value for key, value in meta.items() if value},
        "spec": template.get("spec"),
    }


def new_replica_set(deployment: Manifest, revision: int) -> Manifest:
    """A ReplicaSet for the template, without a size."""
    spec = deployment["spec"]
    collisions = (deployment.get("status") or {}).get("collisionCount")
    digest = template_hash(spec["template"], collisions)
    template = copy(spec["template"])
    meta = template.setdefault("metadata", {})
    meta["labels"] = (meta.get("labels") or {}) | {HASH_LABEL: digest}
    selector = copy(spec["selector"])
    selector["matchLabels"] = (selector.get("matchLabels") or {}) | {HASH_LABEL: digest}
    made: Manifest = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{digest}",
            "namespace": namespace_of(deployment),
            "labels": copy(meta["labels"]),
            "annotations": _copied(deployment)
            | {
                DESIRED: str(wanted(deployment)),
                MAXIMUM: str(wanted(deployment) + max_surge(deployment)),
                REVISION: str(revision),
            },
            "ownerReferences": [controlled_by(deployment, "apps/v1", "Deployment")],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }
    if spec.get("minReadySeconds"):
        made["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    return made


def _copied(deployment: Manifest) -> dict[str, str]:
    return {
        key: value
        for key, value in annotations_of(deployment).items()
        if key not in _NOT_COPIED
    }


def with_revision(
    replica_set: Manifest, deployment: Manifest, revision: int
) -> Manifest:
    """The ReplicaSet with at least this revision; earlier ones go to its history."""
    annotations = annotations_of(replica_set) | _copied(deployment)
    before = revision_of(replica_set)
    if before < revision:
        annotations[REVISION] = str(revision)
        if before:
            past = annotations.get(HISTORY)
            annotations[HISTORY] = f"{past},{before}" if past else str(before)
    changed = copy(replica_set)
    changed["metadata"]["annotations"] = annotations
    ready_seconds = deployment["spec"].get("minReadySeconds")
    if ready_seconds:
        changed["spec"]["minReadySeconds"] = ready_seconds
    else:
        changed["spec"].pop("minReadySeconds", None)
    return changed


def with_size(replica_set: Manifest, size: int, deployment: Manifest) -> Manifest:
    """The ReplicaSet with a size, and the annotations that say what it is a part of."""
    changed = copy(replica_set)
    changed["spec"]["replicas"] = size
    changed["metadata"]["annotations"] = annotations_of(changed) | {
        DESIRED: str(wanted(deployment)),
        MAXIMUM: str(wanted(deployment) + max_surge(deployment)),
    }
    return changed
