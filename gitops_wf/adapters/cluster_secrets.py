"""Secret objects of targets' clusters, as a source of the daemon config's secrets.

Read at each use, so a rotated secret needs no restart; and as whom the environment is
delivered there, so a grant reaches no further than RBAC lets the environment.
"""

import base64
from collections.abc import Mapping
from typing import Any, Protocol

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.grants import KubernetesSource
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.ports.cluster import SECRET, Cluster, ClusterRefusalError


class SeenClusters(Protocol):
    """Targets, as an environment sees them or as the daemon itself does."""

    def cluster(self, target: TargetName, environment: EnvironmentId) -> Cluster:
        """Return a target's cluster as the environment is delivered there."""

    def own(self, target: TargetName) -> Cluster:
        """Return it as the daemon itself."""

    def namespace(self, target: TargetName) -> str:
        """Return the namespace for objects that name none."""


class ClusterSecrets:
    """Reads Secrets; keeps nothing."""

    def __init__(self, clusters: SeenClusters) -> None:
        self._clusters = clusters

    def read(
        self, source: KubernetesSource, environment: EnvironmentId | None
    ) -> Mapping[str, str] | None:
        """Return the values of a Secret by key, None where there is none.

        None as environment is the daemon's own use. Values that are no UTF-8 text are
        left out. Errors: TransientError where the cluster does not answer,
        TerminalError where it says no, or is none.
        """
        if environment is None:
            cluster = self._clusters.own(source.target)
        else:
            cluster = self._clusters.cluster(source.target, environment)
        if not cluster.has_status:
            raise TerminalError(
                f"target {source.target} is a folder: no secret is read from there",
                reason="SecretNotFound",
            )
        namespace = source.namespace or self._clusters.namespace(source.target)
        try:
            found = cluster.get(SECRET, namespace, source.name)
        except ClusterRefusalError as error:
            raise TerminalError(
                f"target {source.target}: Secret/{namespace}/{source.name} cannot be"
                f" read: {error.message}",
                reason="SecretNotFound",
            ) from error
        return None if found is None else _values(found.get("data") or {})


def _values(data: Mapping[str, Any]) -> Mapping[str, str]:
    values = {}
    for key, value in data.items():
        try:
            values[key] = base64.b64decode(str(value), validate=True).decode()
        except ValueError:
            continue
    return values
