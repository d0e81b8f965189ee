"""Reading one object of a target: is it there, how is it, may it be looked at."""

from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field

from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.health import HealthRules, HealthStatus, health_of
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.delivery.allowing import refusal
from gitops_wf.delivery.observing import Observer
from gitops_wf.delivery.snapshot import Snapshots
from gitops_wf.ports.cluster import Clusters, UnknownKindError
from gitops_wf.ports.properties import Properties
from gitops_wf.ports.runner import Capabilities, StepContext


class ObjectProperties(Properties):
    """Which object is meant, and on which target."""

    api_version: str = Field(description="Its API version, such as apps/v1.")
    kind: str = Field(description="Its kind, such as Deployment.")
    name: str = Field(description="Its name.")
    namespace: str | None = Field(
        default=None,
        description="Its namespace; default: the target's. None for what is "
        "cluster-wide.",
    )
    target: str | None = Field(
        default=None,
        description="The target that it is on; default: the environment's only one.",
    )

    def __str__(self) -> str:
        """Return which one, as messages name it."""
        place = f"{self.namespace}/" if self.namespace else ""
        on = f" on {self.target}" if self.target else ""
        return f"{self.kind}/{place}{self.name}{on}"


def read_targets(
    properties: ObjectProperties, environment: Environment
) -> tuple[TargetName, ...]:
    """Return the target that is read; more than one where a step does not say which."""
    if properties.target is not None:
        return (TargetName(properties.target),)
    return environment.targets


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An object as it was looked for, and its health; no manifest: it is not there.

    ``why`` says of one that is not there what else is missing.
    """

    ref: ObjectRef
    manifest: Manifest | None
    status: HealthStatus
    why: str = ""

    @property
    def missing(self) -> str:
        """Return that it is not there, as a message has it."""
        return f"{self.ref} is not there" + (f": {self.why}" if self.why else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectReader:
    """Reads objects with the identity and within the allow-lists of an environment."""

    clusters: Clusters
    health: HealthRules

    def read(self, context: StepContext, properties: ObjectProperties) -> Read:
        """Return an object as it is now.

        A kind that the server does not know is an object that is not there. Errors:
        TerminalError where no target is meant, or it may not be looked at; those of
        the cluster.
        """
        target = one_target(read_targets(properties, context.environment), context)
        environment = context.subject.environment
        cluster = self.clusters.cluster(target, environment)
        named = _ref(properties, properties.namespace or "")
        try:
            resource = cluster.resource(properties.api_version, properties.kind)
        except UnknownKindError as exc:
            self._check(named, target)
            return Read(
                ref=named, manifest=None, status=health_of(None), why=exc.message
            )
        if not resource.is_namespaced and properties.namespace:
            raise TerminalError(
                f"{properties.kind} objects have no namespace: remove `namespace`",
                reason=Reason.INVALID_DEFINITION,
            )
        place = properties.namespace or self.clusters.namespace(target)
        ref = _ref(properties, place if resource.is_namespaced else "")
        self._check(ref, target)
        live = cluster.get(resource, ref.namespace, ref.name)
        observer = Observer(
            target=target,
            cluster=cluster,
            snapshots=Snapshots(),
            max_age=timedelta(),
            rules=self.health,
        )
        return Read(ref=ref, manifest=live, status=observer.health(live))

    def _check(self, ref: ObjectRef, target: TargetName) -> None:
        refused = refusal(ref, self.clusters.allowed(target))
        if refused:
            raise TerminalError(refused, reason=Reason.TARGET_NOT_ALLOWED)


def reader_for(capabilities: Capabilities) -> ObjectReader:
    """Return what reads objects for a step type."""
    return ObjectReader(clusters=capabilities.clusters, health=capabilities.health)


def one_target(targets: tuple[TargetName, ...], context: StepContext) -> TargetName:
    """Return the one target that a step is for. Errors: TerminalError."""
    if len(targets) == 1:
        return targets[0]
    names = ", ".join(targets)
    raise TerminalError(
        f"environment {context.environment.name} has "
        + (f"several targets ({names})" if targets else "no target")
        + ": name the one that is meant (`target`)",
        reason=Reason.INVALID_DEFINITION,
    )


def _ref(properties: ObjectProperties, namespace: str) -> ObjectRef:
    for value in (namespace, properties.name):
        if "/" in value or value in {".", ".."}:
            raise TerminalError(
                f"{cut(value, 64)} is no name of an object",
                reason=Reason.INVALID_DEFINITION,
            )
    return ObjectRef(
        group=properties.api_version.rpartition("/")[0],
        kind=properties.kind,
        namespace=namespace,
        name=properties.name,
    )
