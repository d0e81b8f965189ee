"""That a Job which may run only once has run: a ConfigMap beside the inventory.

It stands on the cluster whose data the Job has made, so it is lost with them and with
nothing else: neither with the daemon's store, nor with the Job itself.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gitops_wf.core.identifiers import EnvironmentId, Sha
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.delivery.names import (
    ENVIRONMENT_LABEL,
    inventory_name,
    label_value,
)
from gitops_wf.ports.cluster import CONFIG_MAP, Cluster, ResourceConflictError

ONCE_LABEL = "gitops-wf.io/once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The Job that has run to its end: of which commit, and from what manifest."""

    job: str
    commit: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceMark:
    """Reads and writes the mark of one key of an environment on a target."""

    cluster: Cluster
    namespace: str
    environment: EnvironmentId
    key: str

    @property
    def name(self) -> str:
        """Return the name of the ConfigMap."""
        mark = once_hash(self.environment, self.key)
        return f"{inventory_name(self.environment)}.once-{mark}"

    @property
    def place(self) -> str:
        """Return where it stands, as messages name it."""
        return f"ConfigMap/{self.namespace}/{self.name}"

    def read(self) -> Mark | None:
        """Return the mark; None where nothing has run yet.

        Whatever the ConfigMap holds, that it is there says that the Job has run.
        """
        found = self.cluster.get(CONFIG_MAP, self.namespace, self.name)
        if found is None:
            return None
        data: Any = found.get("data") or {}
        return Mark(
            job=str(data.get("job", "")),
            commit=str(data.get("commit", "")),
            digest=str(data.get("digest", "")),
        )

    def write(self, *, job: str, commit: Sha, digest: str, now: datetime) -> None:
        """Write it, unless it is there."""
        manifest: Manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {
                    ENVIRONMENT_LABEL: label_value(self.environment),
                    ONCE_LABEL: "done",
                },
            },
            "data": {
                "environment": str(self.environment),
                "once": self.key,
                "job": job,
                "commit": commit,
                "digest": digest,
                "written": now.isoformat(),
            },
        }
        if self.cluster.get(CONFIG_MAP, self.namespace, self.name) is not None:
            return
        try:
            self.cluster.create(manifest)
        except ResourceConflictError:
            return  # another look was as fast, and said the same


def marks_of(
    cluster: Cluster, namespace: str, environment: EnvironmentId
) -> Sequence[tuple[ObjectRef, ObjectRef | None]]:
    """Return all marks of an environment, and the Job that each names."""
    selector = f"{ENVIRONMENT_LABEL}={label_value(environment)},{ONCE_LABEL}"
    return [
        (ObjectRef.of(found), _job(str((found.get("data") or {}).get("job", ""))))
        for found in cluster.list(CONFIG_MAP, namespace, selector)
    ]


def _job(text: str) -> ObjectRef | None:
    parts = text.split("/")
    if len(parts) != 3:
        return None
    kind, namespace, name = parts
    return ObjectRef(group="batch", kind=kind, namespace=namespace, name=name)


def once_hash(environment: EnvironmentId, key: str) -> str:
    """Return what tells one key of an environment from all others."""
    return hashlib.sha256(f"{environment}\n{key}".encode()).hexdigest()[:10]


def manifest_digest(manifest: Manifest) -> str:
    """Return a short digest of a manifest as it is written."""
    text = json.dumps(manifest, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
