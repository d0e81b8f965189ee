"""The targets of the daemon config, each opened when it is first used."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitops_wf.core.config import TargetConfig
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.impersonation import Identity, identity_for
from gitops_wf.core.phases import Reason
from gitops_wf.ports.cluster import AllowList, ApiServer, Cluster

_Key = tuple[str, str, str, int]


@dataclass(slots=True, kw_only=True)
class _Opened:
    """A server as ourselves, and as each identity that was asked for."""

    own: ApiServer
    others: dict[Identity, Cluster] = field(default_factory=dict)

    def seen_as(self, identity: Identity) -> Cluster:
        """Return the same object for the same identity: lists are shared by it."""
        found = self.others.get(identity)
        if found is None:
            found = self.own.impersonating(identity)
        return self.others.setdefault(identity, found)


class ConfiguredClusters:
    """The Clusters port over a daemon config.

    Targets on one API server share its connections and discovery, as whomever they
    ask. A kubeconfig that was rewritten (a rotated token, a sandbox begun anew) is
    read again. ``unknown`` makes a target that the config does not name, where there
    may be such.
    """

    def __init__(
        self,
        targets: Mapping[TargetName, TargetConfig],
        open_target: Callable[[TargetConfig], ApiServer],
        unknown: Callable[[TargetName], TargetConfig] | None = None,
    ) -> None:
        self._targets = dict(targets)
        self._unknown = unknown
        self._open = open_target
        self._lock = threading.Lock()
        self._opened: dict[_Key, _Opened] = {}

    def cluster(self, target: TargetName, environment: EnvironmentId) -> Cluster:
        """Return a target's cluster, seen as the environment is delivered there.

        Errors: TerminalError (TargetNotConfigured), also where the target's
        `impersonate` has no identity for the environment.
        """
        config = self._config(target)
        if not config.impersonate:
            return self._server(config).own
        identity = identity_for(config.impersonate, environment)
        if identity is None:
            raise TerminalError(
                f"target {target}: no entry of its `impersonate` in the daemon config "
                f"is for environment {environment}: add one",
                reason=Reason.TARGET_NOT_CONFIGURED,
            )
        return self._server(config).seen_as(identity)

    def own(self, target: TargetName) -> Cluster:
        """Return a target's cluster as the daemon itself; errors as `cluster`."""
        return self._server(self._config(target)).own

    def targets(self) -> tuple[TargetName, ...]:
        """Return the targets that are known, by name."""
        return tuple(sorted(self._targets))

    def server_of(self, target: TargetName) -> str:
        """Return what targets on one API server have in common."""
        config = self._targets.get(target)
        return target if config is None else config.server

    def _server(self, config: TargetConfig) -> "_Opened":
        key = (config.kind.value, config.path, config.context, _stamp(config.path))
        with self._lock:
            found = self._opened.get(key)
            if found is None:
                for old in [known for known in self._opened if known[:3] == key[:3]]:
                    del self._opened[old]
                try:
                    found = _Opened(own=self._open(config))
                except TerminalError as exc:
                    raise TerminalError(
                        f"target {config.name}: {exc.message}", reason=exc.reason
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
