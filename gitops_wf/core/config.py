"""The daemon config as values: what the platform team trusts the daemon with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.cloud import CloudRule
from gitops_wf.core.concurrency import Concurrency
from gitops_wf.core.environment import DRIFT, Drift, Subscription
from gitops_wf.core.grants import SecretGrant
from gitops_wf.core.health import HealthRule
from gitops_wf.core.identifiers import EnvironmentId, RepositoryName, TargetName
from gitops_wf.core.impersonation import ImpersonationRule
from gitops_wf.core.policy import Rulebook
from gitops_wf.core.reminding import Reminders
from gitops_wf.core.render_limits import RenderLimits
from gitops_wf.core.retention import Retention

WINDOW = timedelta(seconds=10)
"""How long messages wait for others of the same cause, where nobody says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """Which secrets open a repository; each is the name of a secret of the config.

    ``kind`` is basic, bearer or ssh; ``known_hosts`` is a file's path.
    """

    kind: str
    username: str = ""
    secret: str = ""
    known_hosts: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushConfig:
    """Who may let the daemon commit to a repository, and as whom it does.

    ``environments`` are globs over ``<repository>/<environment>``; none means those of
    the repository itself.
    """

    environments: tuple[str, ...] = ()
    name: str = "gitops-wf"
    email: str = "gitops-wf@localhost"

    def allows(self, environment: EnvironmentId, repository: RepositoryName) -> bool:
        """Whether it may commit on behalf of an environment."""
        globs = self.environments or (f"{repository}/*",)
        return any(fnmatchcase(environment, glob) for glob in globs)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryConfig:
    """A watched branch, and which of its folders are environments.

    ``environments`` are globs, with ``!`` for those to leave out. ``targets`` are
    what an environment uses that names none. ``allowed_signers`` is a file's path.
    ``push`` is None where the daemon only reads.
    ``commit_url`` leads to a commit on the web; none is derived from the URL.
    """

    name: RepositoryName
    url: str
    branch: str = "main"
    interval: timedelta = timedelta(seconds=60)
    environments: tuple[str, ...] = ("envs/*",)
    implicit: bool = False
    targets: tuple[TargetName, ...] = ()
    auth: AuthConfig | None = None
    allowed_signers: str = ""
    allow_http: bool = False
    push: PushConfig | None = None
    commit_url: str = ""


class TargetKind(StrEnum):
    """Where a target's API server is, or whether it is only a folder."""

    SANDBOX = "sandbox"
    KUBECONFIG = "kubeconfig"
    IN_CLUSTER = "inCluster"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetConfig:
    """A cluster and the namespace for objects that name none.

    ``path`` is the kubeconfig's or the directory's. None in the allow-lists allows
    all. ``substitute`` are values of variables for environments that declare any.
    ``impersonate`` says as whom each environment is delivered: where there is any
    rule, an environment that none matches is not; without, as the daemon itself.
    """

    name: TargetName
    kind: TargetKind
    path: str = ""
    context: str = ""
    namespace: str = "default"
    namespaces: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    substitute: Mapping[str, str] = field(default_factory=dict)
    impersonate: tuple[ImpersonationRule, ...] = ()

    @property
    def server(self) -> str:
        """What targets on one API server have in common."""
        return f"{self.kind}:{self.path}#{self.context}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """All of ``gitops-wf.yaml``; paths in it are absolute by now.

    ``store`` is an SQLAlchemy URL, ``directory`` where clones and the sandbox live,
    ``instance`` the name that inventories carry. ``groups`` are people by the name of
    their group, which an environment's policy may use, too. ``drift`` is for
    environments that say nothing of it. ``window`` is how long what one commit causes
    is gathered into one message. ``hub`` is the target of cloud resources.
    ``health_rules`` and ``cloud_rules`` come before those that are shipped.
    ``is_all_sandbox`` makes every other target that a repository names a namespace of
    the sandbox. ``adopt`` takes over what another live instance delivers.
    """

    path: str
    directory: str
    store: str
    instance: str
    repositories: tuple[RepositoryConfig, ...]
    targets: Mapping[TargetName, TargetConfig]
    rulebook: Rulebook = field(default_factory=Rulebook)
    secrets: Mapping[str, SecretGrant] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notify: tuple[Subscription, ...] = ()
    window: timedelta = WINDOW
    reminders: Reminders = field(default_factory=Reminders)
    hub: TargetName | None = None
    server: str = ""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    retention: Retention = field(default_factory=Retention)
    rendering: RenderLimits = field(default_factory=RenderLimits)
    outbound: AddressPolicy = field(default_factory=AddressPolicy)
    concurrency: Concurrency = field(default_factory=Concurrency)
    drift: Drift = DRIFT
    health_rules: tuple[HealthRule, ...] = ()
    cloud_rules: tuple[CloudRule, ...] = ()
    is_all_sandbox: bool = False
    adopt: bool = False
