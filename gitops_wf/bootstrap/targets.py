"""Opening the clusters and folders that targets name."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from gitops_wf.adapters.directory_target import DirectoryCluster
from gitops_wf.adapters.kube_api import (
    KubeCluster,
    in_cluster_access,
    kubeconfig_access,
)
from gitops_wf.core.config import DaemonConfig, TargetConfig, TargetKind
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.redaction import Redactor
from gitops_wf.ports.cluster import ApiServer, Asked, Unwatched
from gitops_wf.sandbox import process as sandbox_process

SANDBOX_FOLDER = "sandbox"


def sandbox_kubeconfig(config: DaemonConfig) -> Path:
    """Start the daemon's sandbox unless it runs; return its kubeconfig.

    Errors: TerminalError (SandboxFailed).
    """
    try:
        return sandbox_process.start(Path(config.directory) / SANDBOX_FOLDER).kubeconfig
    except sandbox_process.SandboxError as error:
        raise TerminalError(f"sandbox: {error}", reason="SandboxFailed") from error


def with_sandbox_kubeconfig(config: DaemonConfig) -> dict[TargetName, TargetConfig]:
    """Return the targets with where the sandbox's kubeconfig is; starts nothing."""
    path = str(Path(config.directory) / SANDBOX_FOLDER / "kubeconfig")
    return {
        name: replace(target, path=path)
        if target.kind is TargetKind.SANDBOX
        else target
        for name, target in config.targets.items()
    }


def open_target(
    target: TargetConfig,
    redactor: Redactor | None = None,
    begun: Callable[[str], Asked] = lambda _: Unwatched(),
) -> ApiServer:
    """Open the cluster, or the folder, that a target names.

    ``redactor`` learns its credentials, and the Secrets that are read and written;
    ``begun`` is called with the target's server at each request.
    """
    path = Path(target.path).expanduser()
    match target.kind:
        case TargetKind.KUBECONFIG | TargetKind.SANDBOX:
            return KubeCluster(
                kubeconfig_access(path, target.context or None),
                redactor=redactor,
                begun=partial(begun, target.server),
            )
        case TargetKind.IN_CLUSTER:
            return KubeCluster(
                in_cluster_access(),
                redactor=redactor,
                begun=partial(begun, target.server),
            )
        case TargetKind.DIRECTORY:
            return DirectoryCluster(path)
