"""An environment as its folder declares it at one commit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RepositoryName,
    TargetName,
    environment_id,
)
from gitops_wf.core.policy import Policy
from gitops_wf.core.upkeep.ignoring import IgnoreRule


class Commits(StrEnum):
    """What happens to a revision when a newer one arrives (design 3.2)."""

    EVERY = "every"
    LATEST = "latest"
    STRICT = "strict"


class OnRemove(StrEnum):
    """What happens to an environment's objects when its folder goes."""

    ORPHAN = "orphan"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """Another environment that must have succeeded first, and for how long.

    ``repository`` is another one's; None: it is of the same.
    """

    environment: EnvironmentName
    repository: RepositoryName | None = None
    soak: timedelta = timedelta()

    @property
    def title(self) -> str:
        """Return how it prints: ``staging``, or ``shop/staging`` of another."""
        here = self.repository is None
        return self.environment if here else f"{self.repository}/{self.environment}"

    def seen_from(self, repository: RepositoryName) -> EnvironmentId:
        """Return which one it is for an environment of a repository."""
        return environment_id(self.repository or repository, self.environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Another environment that is waited for, and where a file says so."""

    environment: EnvironmentName
    path: str
    line: int | None = None

    @property
    def place(self) -> str:
        """Return ``path:line``."""
        return self.path if self.line is None else f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How often the released revision is compared, and what follows.

    No ``interval`` and no ``self_heal`` leave it to the daemon config; an interval of
    nothing compares nothing.
    """

    interval: timedelta | None = None
    self_heal: bool | None = None
    ignore: tuple[IgnoreRule, ...] = ()

    def over(self, outer: "Drift") -> "Drift":
        """Return what holds where ``outer`` is the daemon config's; rules add up."""
        return Drift(
            interval=outer.interval if self.interval is None else self.interval,
            self_heal=outer.self_heal if self.self_heal is None else self.self_heal,
            ignore=(*outer.ignore, *self.ignore),
        )


DRIFT = Drift(interval=timedelta(minutes=5), self_heal=False)
"""What holds where nobody says anything."""


class OnFailure(StrEnum):
    """What the daemon does by itself where a revision has Failed."""

    LEAVE = "leave"
    REVERT = "revert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Which events of an environment go to which channel of the daemon config."""

    channel: str
    events: tuple[str, ...]

    def takes(self, kind: str) -> bool:
        """Whether an event of the kind goes to it.

        Who wants to know of failures wants to know, too, where it could not be found
        out: ``failed`` takes what ended Errored.
        """
        return kind in self.events or (kind == "errored" and "failed" in self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmChart:
    """A chart of the repository that is delivered, and its values files in order.

    Paths are from the repository's root; ``target_values`` come after ``values``.
    """

    chart: str
    release: str = ""
    values: tuple[str, ...] = ()
    target_values: Mapping[TargetName, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Substitute:
    """Values of ``${name}`` in what is delivered; a target's own win.

    ``given`` are those of the daemon config by target, as far as the environment has
    none of that name itself: they are frozen with it.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[TargetName, Mapping[str, str]] = field(default_factory=dict)
    given: Mapping[TargetName, Mapping[str, str]] = field(default_factory=dict)

    def on(self, target: TargetName) -> dict[str, str]:
        """Return all values on a target."""
        return {
            **self.given.get(target, {}),
            **self.values,
            **self.targets.get(target, {}),
        }

    def with_given(
        self,
        configured: Mapping[TargetName, Mapping[str, str]],
        targets: Iterable[TargetName],
    ) -> "Substitute":
        """Return it with what the daemon config gives on an environment's targets."""
        given = {
            target: {
                name: value
                for name, value in configured.get(target, {}).items()
                if name not in self.values and name not in self.targets.get(target, {})
            }
            for target in targets
        }
        return replace(self, given={t: values for t, values in given.items() if values})


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A folder of a repository with a workflow and targets, at one commit.

    ``workflow_ref`` is a path from the repository's root, already resolved and
    known to stay inside it. ``watch`` likewise, with what its kustomizations and its
    chart refer to. ``decryption`` is the secret of the daemon config with the keys of
    files that SOPS has encrypted, as ``name`` or ``name/key``. ``hub`` is the target
    that the daemon config has for cloud resources. ``waits`` are for every commit that
    is no rollback: those of ``after`` and of the workflow's steps.
    """

    name: EnvironmentName
    folder: str
    application: str = ""
    targets: tuple[TargetName, ...] = ()
    workflow_ref: str | None = None
    after: tuple[After, ...] = ()
    commits: Commits = Commits.EVERY
    max_pending: int = 10
    watch: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ("*.md",)
    on_remove: OnRemove = OnRemove.ORPHAN
    on_failure: OnFailure = OnFailure.LEAVE
    suspend: bool = False
    prune: bool = True
    allow_empty: bool = False
    drift: Drift = field(default_factory=Drift)
    notify: tuple[Subscription, ...] = ()
    policy: Policy = field(default_factory=Policy)
    helm: HelmChart | None = None
    substitute: Substitute | None = None
    decryption: str = ""
    hub: TargetName | None = None
    waits: tuple[Wait, ...] = ()
