"""The targets of the daemon config, each opened when it is first used."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from gitops_wf.core.config import TargetConfig
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.phases import Reason
from gitops_wf.ports.cluster import AllowList, Cluster

_Key = tuple[str, str, str, int]


class ConfiguredClusters:
    """The Clusters port over a daemon config.

    Targets on one API server share its connections and discovery. A kubeconfig that
    was rewritten (a rotated token, a sandbox begun anew) is read again. ``unknown``
    makes a target that the config does not name, where there may be such.
    """

    def __init__(
        self,
        targets: Mapping[TargetName, TargetConfig],
        open_target: Callable[[TargetConfig], Cluster],
        unknown: Callable[[TargetName], TargetConfig] | None = None,
    ) -> None:
        self._targets = dict(targets)
        self._unknown = unknown
        self._open = open_target
        self._lock = threading.Lock()
        self._opened: dict[_Key, Cluster] = {}

    def cluster(self, target: TargetName) -> Cluster:
        """Return a target's cluster; TerminalError(TargetNotConfigured)."""
        config = self._config(target)
        key = (config.kind.value, config.path, config.context, _stamp(config.path))
        with self._lock:
            found = self._opened.get(key)
            if found is None:
                for old in [known for known in self._opened if known[:3] == key[:3]]:
                    del self._opened[old]
                try:
                    found = self._open(config)
                except TerminalError as exc:
                    raise TerminalError(
                        f"target {target}: {exc.message}", reason=exc.reason
                    ) from exc
                self._opened[key] = found
            return found

    def namespace(self, target: TargetName) -> str:
        """Return the namespace for objects that name none."""
        return self._config(target).namespace

    def allowed(self, target: TargetName) -> AllowList:
        """Return what may be written there."""
        config = self._config(target)
        return AllowList(namespaces=config.namespaces, kinds=config.kinds)

    def _config(self, target: TargetName) -> TargetConfig:
        config = self._targets.get(target)
        if config is None and self._unknown is not None:
            config = self._targets[target] = self._unknown(target)
        if config is None:
            known = ", ".join(sorted(self._targets)) or "none"
            raise TerminalError(
                f"target {cut(target)} is not in the daemon config; there: {known}",
                reason=Reason.TARGET_NOT_CONFIGURED,
            )
        return config


def _stamp(path: str) -> int:
    """Return when a kubeconfig was written; 0 where there is none."""
    try:
        return Path(path).stat().st_mtime_ns if path and Path(path).is_file() else 0
    except OSError:
        return 0
