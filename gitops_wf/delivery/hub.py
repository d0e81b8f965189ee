"""The hub: where an environment's cloud resources are, and what they have come to.

Objects that name no namespace go to the environment's own, so that the `database` of
staging and that of prod never meet. A Secret is the environment's to copy only if it is
in that namespace, or if it says by an owner reference that it was written for the
object: else anybody could have any Secret of the hub copied, by naming it in an object.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from gitops_wf.core.cloud import CloudChoice, CloudRules
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.health import (
    Health,
    HealthRules,
    HealthStatus,
    health_of,
)
from gitops_wf.core.health.status import in_progress
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.core.run import Subject
from gitops_wf.delivery.choosing import Part
from gitops_wf.delivery.delivery import Delivery
from gitops_wf.delivery.names import (
    CLAIMED,
    ENVIRONMENT_LABEL,
    hub_namespace,
    label_value,
)
from gitops_wf.delivery.observing import DONE
from gitops_wf.delivery.orders import Order
from gitops_wf.delivery.rendering import Desired
from gitops_wf.ports.cluster import (
    NAMESPACE,
    SECRET,
    Cluster,
    Clusters,
    ClusterUnavailableError,
)
from gitops_wf.ports.runner import StepContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a step is asked: for which revision, and where the cloud resources are.

    ``names`` are the cloud resources that it delivers, or copies from; none are all.
    """

    subject: Subject
    environment: Environment
    step: str
    target: TargetName
    names: tuple[str, ...]
    step_files: tuple[str, ...]
    now: datetime

    @classmethod
    def of(
        cls, context: StepContext, target: TargetName, names: tuple[str, ...]
    ) -> Self:
        """Return what a step is asked, for one of the targets that it writes to."""
        return cls(
            subject=context.subject,
            environment=context.environment,
            step=str(context.step),
            target=target,
            names=names,
            step_files=context.step_files,
            now=context.now,
        )

    @property
    def hub(self) -> TargetName:
        """The target with the cloud resources; TerminalError where there is none."""
        if self.environment.hub is None:
            raise TerminalError(
                "cloud resources go to the hub, and the daemon config names none: write"
                " the name of one of its targets as `hub: NAME`",
                reason=Reason.TARGET_NOT_CONFIGURED,
            )
        return self.environment.hub

    @property
    def is_on_hub(self) -> bool:
        """Whether this part of the step is for the hub itself."""
        return self.target == self.hub


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A cloud resource: as Git has it, as it is, how it is, and its Secret."""

    desired: Desired
    live: Manifest | None
    status: HealthStatus
    secret: ObjectRef | None


class Hub:
    """Delivers cloud resources by a Delivery, and looks at them and their Secrets."""

    def __init__(
        self,
        *,
        delivery: Delivery,
        clusters: Clusters,
        rules: CloudRules,
        health: HealthRules,
    ) -> None:
        self._delivery = delivery
        self._clusters = clusters
        self._rules = rules
        self._health = health

    def order(self, work: Work, *, prune: bool | None = None) -> Order:
        """Return what brings the cloud resources to the hub."""
        environment = work.environment
        return Order(
            id=work.subject.environment,
            environment=environment,
            commit=work.subject.commit,
            number=work.subject.number,
            inputs=work.subject.inputs,
            target=work.hub,
            step=work.step,
            now=work.now,
            part=Part(only=CloudChoice(self._rules, work.names)),
            step_files=work.step_files,
            prune=environment.prune if prune is None else prune,
            place=hub_namespace(work.subject.environment),
            concerns=_is_resource,
        )

    def check(self, work: Work) -> None:
        """Refuse a hub on which nothing comes alive."""
        if not self._clusters.cluster(work.hub, work.subject.environment).has_status:
            raise TerminalError(
                f"hub {work.hub} is a folder: no controller makes anything there",
                reason=Reason.INVALID_DEFINITION,
            )

    def make_place(self, work: Work) -> None:
        """Make the environment's namespace on the hub, where it is missing and used.

        Errors: TerminalError where the namespace is another environment's, or a name
        in `resources` is nobody's; those of the cluster.
        """
        hub, id_ = work.hub, work.subject.environment
        cluster = self._clusters.cluster(hub, id_)
        place, resources = hub_namespace(id_), self.resources(work)
        check_names(work, work.names, resources)
        if all(item.ref.namespace != place for item in resources):
            return
        live = cluster.get(NAMESPACE, "", place)
        if live is None:
            metadata = {"name": place, "labels": {ENVIRONMENT_LABEL: label_value(id_)}}
            cluster.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
            )
            return
        owner = labels_of(live).get(ENVIRONMENT_LABEL)
        if owner and owner != label_value(id_):
            raise TerminalError(
                f"Namespace/{place} on hub {hub} is of environment"
                f" {owner.replace('.', '/')}: give the cloud resources of {id_} a"
                " `metadata.namespace` of their own",
                reason=CLAIMED,
            )

    def unready(self, work: Work) -> list[str]:
        """Return the cloud resources whose controller has not looked at them yet.

        Others are known from their health.
        """
        return [
            f"{each.desired.ref}: {each.status.message or each.status.health}"
            for each in self.seen(work)
            if each.status.health not in DONE
        ]

    def resources(self, work: Work) -> tuple[Desired, ...]:
        """Return the cloud resources as Git has them."""
        return self._delivery.wanted(self.order(work))

    def seen(self, work: Work) -> list[Resource]:
        """Return the cloud resources as they are on the hub."""
        cluster = self._clusters.cluster(work.hub, work.subject.environment)
        found = []
        for item in self.resources(work):
            with asking_hub(work):
                resource = cluster.resource(item.api_version, item.ref.kind)
                live = cluster.get(resource, item.ref.namespace, item.ref.name)
            self._check_owner(work, item, live)
            rule = self._rules.find(live or item.manifest)
            found.append(
                Resource(
                    desired=item,
                    live=live,
                    status=self._status(live),
                    secret=rule.secret_of(live or item.manifest) if rule else None,
                )
            )
        return found

    def _status(self, live: Manifest | None) -> HealthStatus:
        """Return how one is: without a rule of its own, not before it has a status."""
        status = health_of(live, self._health)
        if live is None or live.get("status") or status.health is not Health.CURRENT:
            return status
        ref = ObjectRef.of(live)
        if self._health.find(ref.group, ref.kind) is not None:
            return status
        return in_progress("its controller has set no status yet")

    def _check_owner(self, work: Work, item: Desired, live: Manifest | None) -> None:
        id_ = work.subject.environment
        owner = None if live is None else labels_of(live).get(ENVIRONMENT_LABEL)
        if live is not None and owner != label_value(id_):
            raise TerminalError(
                f"{item.ref} on hub {work.hub} is not of environment {id_}, but of"
                f" {(owner or 'nobody').replace('.', '/')}: deliver it by a"
                " deploy-cloud-resource step before its Secret is copied",
                reason=CLAIMED,
            )

    def secret(self, work: Work, each: Resource, secret: ObjectRef) -> Manifest | None:
        """Return a Secret of the hub, if it is the environment's to copy."""
        id_ = work.subject.environment
        cluster = self._clusters.cluster(work.hub, id_)
        with asking_hub(work):
            live = cluster.get(SECRET, secret.namespace, secret.name)
            if live is None or self._is_own_place(cluster, id_, secret.namespace):
                return live
        metadata: Mapping[str, Any] = (each.live or {}).get("metadata") or {}
        owners = (live.get("metadata") or {}).get("ownerReferences") or ()
        if metadata.get("uid") in {owner.get("uid") for owner in owners}:
            return live
        raise TerminalError(
            f"{each.desired.ref} names {secret} on hub {work.hub}, which is not in the"
            f" environment's namespace {hub_namespace(id_)} there and does not name it"
            " as its owner: it is not copied; let the Secret be written to that"
            f" namespace, which has the label {ENVIRONMENT_LABEL}={label_value(id_)}",
            reason="SecretNotOwned",
        )

    def _is_own_place(
        self, cluster: Cluster, environment: EnvironmentId, namespace: str
    ) -> bool:
        if namespace != hub_namespace(environment):
            return False
        live = cluster.get(NAMESPACE, "", namespace)
        return live is not None and (
            labels_of(live).get(ENVIRONMENT_LABEL) == label_value(environment)
        )


@contextmanager
def asking_hub(work: Work) -> Iterator[None]:
    """Say that it is the hub that does not answer, and not the target of the step."""
    try:
        yield
    except ClusterUnavailableError as exc:
        if work.is_on_hub:
            raise
        raise TransientError(
            f"hub {work.hub} does not answer: {exc}", retry_after=exc.retry_after
        ) from exc


def is_copy(ref: ObjectRef) -> bool:
    """Whether an object of a step's inventory is a copied Secret."""
    return (ref.group, ref.kind) == ("", "Secret")


def _is_resource(ref: ObjectRef) -> bool:
    return not is_copy(ref)


def check_names(work: Work, names: Iterable[str], resources: Iterable[Desired]) -> None:
    """Refuse names that no cloud resource of the environment has."""
    known = set().union(*map(_names, resources))
    for name in names:
        if name not in known:
            raise TerminalError(
                f"resources: there is no cloud resource {cut(name)} in"
                f" {work.environment.folder}",
                reason=Reason.INVALID_DEFINITION,
            )


def _names(item: Desired) -> set[str]:
    return {item.ref.name, f"{item.ref.kind}/{item.ref.name}"}


def labels_of(manifest: Manifest) -> Mapping[str, str]:
    """Return an object's labels."""
    return (manifest.get("metadata") or {}).get("labels") or {}
