"""Opening the clusters and folders that targets name."""

from pathlib import Path

from gitops_wf.adapters.directory_target import DirectoryCluster
from gitops_wf.adapters.kube_api import (
    KubeCluster,
    in_cluster_access,
    kubeconfig_access,
)
from gitops_wf.core.config import TargetConfig, TargetKind
from gitops_wf.ports.cluster import Cluster


def open_target(target: TargetConfig) -> Cluster:
    """Open the cluster, or the folder, that a target names."""
    path = Path(target.path).expanduser()
    match target.kind:
        case TargetKind.KUBECONFIG | TargetKind.SANDBOX:
            return KubeCluster(kubeconfig_access(path, target.context or None))
        case TargetKind.IN_CLUSTER:
            return KubeCluster(in_cluster_access())
        case TargetKind.DIRECTORY:
            return DirectoryCluster(path)
