"""Who may use a secret of the daemon config, and where it may be sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gitops_wf.core.identifiers import EnvironmentId, TargetName


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSource:
    """A Secret on a target's cluster; without a namespace, in the target's own."""

    target: TargetName
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretGrant:
    """One secret by name: its source, and the globs that grant it.

    Exactly one source. ``env`` maps keys to variables of the daemon's environment
    (the key ``""`` is a secret without keys). ``file`` is a path: a folder with one
    file per key (as Kubernetes mounts a Secret), a YAML or JSON mapping of keys, or,
    asked for without a key, the file's whole content less its last line end.
    ``kubernetes`` is a Secret on a cluster, read as the environment is delivered there;
    without a key, the only one that it has.

    ``environments`` are globs over ``<repository>/<environment>``, never over the
    bare name: else an environment called ``a/b`` would pass for b of repository a.
    ``*`` matches slashes too. ``hosts`` are globs over host names, without port;
    ``targets`` over the names of targets on which it may become a Secret.
    No glob grants nothing.
    """

    name: str
    env: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    kubernetes: KubernetesSource | None = None
    environments: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def allows_environment(self, environment: EnvironmentId) -> bool:
        """Whether the environment may use it."""
        return any(fnmatchcase(environment, glob) for glob in self.environments)

    def allows_host(self, host: str) -> bool:
        """Whether it may be sent to the host; case and a last dot do not count."""
        name = host.casefold().rstrip(".")
        return any(fnmatchcase(name, glob.casefold()) for glob in self.hosts)

    def allows_target(self, target: TargetName) -> bool:
        """Whether it may stand in an object on the target."""
        return any(fnmatchcase(target, glob) for glob in self.targets)
