"""The Cluster port over a Kubernetes API server.

The official client gives configuration, authentication and pooled connections;
objects stay plain JSON.
"""

from gitops_wf.adapters.kube_api.access import (
    ApiAccess,
    in_cluster_access,
    kubeconfig_access,
)
from gitops_wf.adapters.kube_api.cluster import FIELD_MANAGER, KubeCluster

__all__ = [
    "FIELD_MANAGER",
    "ApiAccess",
    "KubeCluster",
    "in_cluster_access",
    "kubeconfig_access",
]
