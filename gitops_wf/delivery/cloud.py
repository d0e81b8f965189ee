"""Cloud resources: objects on the hub, and their Secrets copied to where they are used.

On the hub, objects that name no namespace go to the environment's own, so that the
`database` of staging and that of prod never meet. A Secret is copied only if it is in
that namespace, or if it says by an owner reference that it was written for the object:
else anybody could have any Secret of the hub copied, by naming it in an object.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from gitops_wf.core.changeset import ChangeSet
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
from gitops_wf.core.inventory import Inventory, Manifest, ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.core.planned import Planned, PlannedObject
from gitops_wf.core.run import Subject
from gitops_wf.core.upkeep.findings import Drifted, DriftKind, Findings
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.delivery.choosing import Part
from gitops_wf.delivery.delivery import Delivery, Order, Rendered
from gitops_wf.delivery.names import (
    CLAIMED,
    COPIED_FROM,
    COPIED_VERSION,
    ENVIRONMENT_LABEL,
    hub_namespace,
    label_value,
)
from gitops_wf.delivery.observing import DONE
from gitops_wf.delivery.rendering import Desired, Source, desired_objects
from gitops_wf.delivery.settled import is_our_apply
from gitops_wf.ports.cluster import (
    ApiResource,
    Cluster,
    Clusters,
    ClusterUnavailableError,
)
from gitops_wf.ports.runner import Capabilities

SECRET = ApiResource(
    group="", version="v1", kind="Secret", plural="secrets", is_namespaced=True
)
NAMESPACE = ApiResource(
    group="", version="v1", kind="Namespace", plural="namespaces", is_namespaced=False
)
_NO_NAMESPACE = "NamespaceNotFound"
SECRET_MISSING = "SecretMissing"  # noqa: S105 - a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where Secrets are copied to on a target, and how.

    ``namespace`` and ``secret_name`` are the copy's, empty for the target's own and for
    that of the Secret. ``keys`` are names in the Secret with those in the copy; none
    are all, as they are.
    """

    namespace: str = ""
    secret_name: str = ""
    keys: tuple[tuple[str, str], ...] = ()


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
class Gathered:
    """Secrets as they are to be on a target, and what has to be waited for.

    ``sources`` are the texts of what each was copied from.
    """

    objects: tuple[Desired, ...] = ()
    sources: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    coming: tuple[ObjectRef, ...] = ()
    """Copies whose Secret is not there yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resource:
    """A cloud resource: as Git has it, as it is, how it is, and its Secret."""

    desired: Desired
    live: Manifest | None
    status: HealthStatus
    secret: ObjectRef | None


class CloudResources:
    """Delivers cloud resources and copies their Secrets, over a Delivery.

    Values of Secrets are only in memory and on the targets.
    """

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

    @classmethod
    def of(cls, capabilities: Capabilities, delivery: Delivery) -> Self:
        """Return it over what the daemon offers."""
        return cls(
            delivery=delivery,
            clusters=capabilities.clusters,
            rules=capabilities.cloud,
            health=capabilities.health,
        )

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

    def check_hub(self, work: Work) -> None:
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
        place, resources = hub_namespace(id_), self._resources(work)
        _check_names(work, work.names, resources)
        if all(item.ref.namespace != place for item in resources):
            return
        live = cluster.get(NAMESPACE, "", place)
        if live is None:
            metadata = {"name": place, "labels": {ENVIRONMENT_LABEL: label_value(id_)}}
            cluster.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
            )
            return
        owner = _labels(live).get(ENVIRONMENT_LABEL)
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
            for each in self._seen(work)
            if each.status.health not in DONE
        ]

    def copy_order(self, work: Work) -> Order:
        """Return what brings copies of Secrets to the target."""
        subject = work.subject
        return Order(
            id=subject.environment,
            # That nothing is left of them is the end of a cloud resource: what guards
            # that is the guard of the cloud resources themselves.
            environment=replace(work.environment, allow_empty=True),
            commit=subject.commit,
            number=subject.number,
            inputs=subject.inputs,
            target=work.target,
            step=work.step,
            now=work.now,
            prune=work.environment.prune,
            concerns=_is_copy,
        )

    def gather(
        self, work: Work, wishes: Iterable[Wish], *, ready: bool = True
    ) -> Gathered:
        """Return the copies that are wanted on the target, as their Secrets are now.

        ``ready`` says that the cloud resources must be, too. Errors: TerminalError
        for a Secret that is not the environment's to copy, and for wishes that
        contradict each other; DefinitionError as for any object.
        """
        result = Gathered()
        sources: list[Source] = []
        seen = self._seen(work)
        _check_names(work, work.names, [each.desired for each in seen])
        secrets = [each for each in seen if each.secret is not None]
        for wish in wishes:
            if wish.secret_name and len(secrets) > 1:
                raise TerminalError(
                    f"secretName {wish.secret_name}: {len(secrets)} cloud resources"
                    " have a Secret; name one of them in `resources`",
                    reason=Reason.INVALID_DEFINITION,
                )
            for each in seen:
                result, source = self._copied(work, wish, each, result, ready=ready)
                sources += [] if source is None else [source]
        objects = desired_objects(
            sources,
            namespace=self._clusters.namespace(work.target),
            allowed=self._clusters.allowed(work.target),
            is_namespaced=lambda _version, _kind: True,
            part=Part(),
            labels={ENVIRONMENT_LABEL: label_value(work.subject.environment)},
        )
        return replace(result, objects=objects)

    def deliver(self, work: Work, gathered: Gathered) -> ChangeSet:
        """Bring the copies to the target, and delete those that are no longer wanted.

        A namespace that is missing is made, where it stands among the environment's
        manifests: they come later. Errors: TerminalError where a Secret of somebody
        else has a copy's name.
        """
        self._check_foreign(work, gathered.objects)
        order, rendered = self.copy_order(work), _rendered(gathered)
        try:
            return self._delivery.deliver(order, rendered)
        except TerminalError as exc:
            if exc.reason != _NO_NAMESPACE or not self._made_namespaces(work, gathered):
                raise
        return self._delivery.deliver(order, rendered)

    def complete(self, work: Work) -> Inventory:
        """Record that the step is done on the target."""
        return self._delivery.complete(self.copy_order(work))

    def plan(self, work: Work, wishes: Iterable[Wish]) -> Planned:
        """Return what copying would do, as far as the Secrets are there."""
        gathered = self.gather(work, wishes, ready=False)
        self._check_foreign(work, gathered.objects)
        order, rendered = self.copy_order(work), _rendered(gathered)
        planned = self._delivery.plan(order, rendered)
        if planned.reason == _NO_NAMESPACE and self._made_namespaces(work, gathered):
            planned = self._delivery.plan(order, rendered)
        coming = tuple(
            PlannedObject(
                ref=ref, change=None, message="copied when its Secret is there"
            )
            for ref in gathered.coming
        )
        # What is only coming is not pruned: a plan keeps it, as the step will.
        names = set(gathered.coming)
        kept = tuple(each for each in planned.objects if each.ref not in names)
        return replace(planned, objects=(*kept, *coming))

    def compare(
        self,
        work: Work,
        wishes: Iterable[Wish],
        rules: tuple[IgnoreRule, ...],
        *,
        max_age: timedelta,
    ) -> Findings:
        """Return which copies are not as they should be, and why.

        One whose Secret has changed since is outdated. Errors: TransientError where a
        Secret is not there to compare with.
        """
        gathered = self._all(work, wishes)
        order = self.copy_order(work)
        found = self._delivery.look(
            order, rules, max_age=max_age, objects=gathered.objects
        )
        wanted = {item.ref: item for item in gathered.objects}
        drifted = tuple(
            self._told(work, each, wanted[each.ref]) for each in found.drifted
        )
        return replace(found, drifted=drifted)

    def heal(
        self,
        work: Work,
        wishes: Iterable[Wish],
        rules: tuple[IgnoreRule, ...],
        refs: Collection[ObjectRef],
    ) -> ChangeSet:
        """Copy these again."""
        gathered = self._all(work, wishes)
        chosen = [item for item in gathered.objects if item.ref in refs]
        self._check_foreign(work, chosen)
        return self._delivery.heal(self.copy_order(work), rules, refs, gathered.objects)

    def _made_namespaces(self, work: Work, gathered: Gathered) -> bool:
        """Make the namespaces that copies need and the environment's manifests hold.

        Whether there was one. The delivery that brings them owns them, and not this.
        """
        needed = {item.ref.namespace for item in gathered.objects}
        needed.add(self._clusters.namespace(work.target))
        order = replace(
            self.copy_order(work),
            part=Part(kind="Namespace"),
            step_files=work.step_files,
        )
        cluster = self._clusters.cluster(work.target, work.subject.environment)
        found = [
            item
            for item in self._delivery.wanted(order)
            if item.ref.name in needed
            and cluster.get(NAMESPACE, "", item.ref.name) is None
        ]
        for item in found:
            cluster.apply(item.manifest)
        return bool(found)

    def _all(self, work: Work, wishes: Iterable[Wish]) -> Gathered:
        gathered = self.gather(work, wishes, ready=False)
        if gathered.waiting:
            raise TransientError("; ".join(gathered.waiting))
        return gathered

    def _resources(self, work: Work) -> tuple[Desired, ...]:
        return self._delivery.wanted(self.order(work))

    def _seen(self, work: Work) -> list[_Resource]:
        """Return the cloud resources as they are on the hub."""
        cluster = self._clusters.cluster(work.hub, work.subject.environment)
        found = []
        for item in self._resources(work):
            with _asking_hub(work):
                resource = cluster.resource(item.api_version, item.ref.kind)
                live = cluster.get(resource, item.ref.namespace, item.ref.name)
            self._check_owner(work, item, live)
            rule = self._rules.find(live or item.manifest)
            found.append(
                _Resource(
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
        owner = None if live is None else _labels(live).get(ENVIRONMENT_LABEL)
        if live is not None and owner != label_value(id_):
            raise TerminalError(
                f"{item.ref} on hub {work.hub} is not of environment {id_}, but of"
                f" {(owner or 'nobody').replace('.', '/')}: deliver it by a"
                " deploy-cloud-resource step before its Secret is copied",
                reason=CLAIMED,
            )

    def _copied(
        self,
        work: Work,
        wish: Wish,
        each: _Resource,
        result: Gathered,
        *,
        ready: bool,
    ) -> tuple[Gathered, Source | None]:
        """Add one cloud resource's Secret to what was gathered; return its copy."""
        ref, secret, status = each.desired.ref, each.secret, each.status
        if ready and status.health is Health.FAILED:
            text = f"{ref}: {status.message}"
            return replace(result, failed=(*result.failed, text)), None
        if secret is None:
            if ready and status.health not in DONE:
                text = f"{ref}: {status.message or status.health}"
                return replace(result, waiting=(*result.waiting, text)), None
            return result, None
        goal = ObjectRef(
            group="",
            kind="Secret",
            namespace=wish.namespace or self._clusters.namespace(work.target),
            name=wish.secret_name or secret.name,
        )
        if work.is_on_hub and goal == secret:
            if wish.keys:
                raise TerminalError(
                    f"{goal} is the Secret of {ref} itself: to choose or rename its"
                    " keys, give the copy another name (`secretName`) or `namespace`",
                    reason=Reason.INVALID_DEFINITION,
                )
            return result, None
        live, why = self._ready(work, wish, each, secret, ready=ready)
        if live is None:
            waiting, coming = (*result.waiting, why), (*result.coming, goal)
            return replace(result, waiting=waiting, coming=coming), None
        result = replace(result, sources=(*result.sources, str(secret)))
        manifest = _copy(live, goal, wish.keys, f"{work.hub} {secret}")
        item = each.desired
        return result, Source(manifest=manifest, path=item.path, line=item.line)

    def _ready(
        self, work: Work, wish: Wish, each: _Resource, secret: ObjectRef, *, ready: bool
    ) -> tuple[Manifest | None, str]:
        """Return a Secret that can be copied, or what is missing yet."""
        ref, status = each.desired.ref, each.status
        if ready and status.health not in DONE:
            return None, f"{ref}: {status.message or status.health}"
        place = f"{secret} on hub {work.hub}"
        live = self._secret(work, each, secret)
        if live is None:
            return None, f"{place}, the Secret of {ref}, is not there"
        data = live.get("data") or {}
        missing = [key for key, _ in wish.keys if key not in data]
        if missing:
            there = ", ".join(sorted(data)) or "none"
            return None, f"{place} has no key {', '.join(missing)}; it has {there}"
        return live, ""

    def _secret(
        self, work: Work, each: _Resource, secret: ObjectRef
    ) -> Manifest | None:
        """Return a Secret of the hub, if it is the environment's to copy."""
        id_ = work.subject.environment
        cluster = self._clusters.cluster(work.hub, id_)
        with _asking_hub(work):
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
            _labels(live).get(ENVIRONMENT_LABEL) == label_value(environment)
        )

    def _check_foreign(self, work: Work, copies: Iterable[Desired]) -> None:
        """Refuse to write over a Secret that nobody here has made."""
        cluster = self._clusters.cluster(work.target, work.subject.environment)
        for item in copies:
            live = cluster.get(SECRET, item.ref.namespace, item.ref.name)
            if live is not None and _is_foreign(live):
                raise TerminalError(
                    f"{item.ref} on {work.target} is there already, and not of"
                    f" environment {work.subject.environment}: {_whose(live)}; nothing"
                    " was written: name the copy otherwise (`secretName`,"
                    " `namespace`), or remove that Secret",
                    reason=CLAIMED,
                )

    def _told(self, work: Work, drifted: Drifted, wanted: Desired) -> Drifted:
        """Return a finding with what is known of copies."""
        if drifted.kind is not DriftKind.CHANGED:
            return drifted
        cluster = self._clusters.cluster(work.target, work.subject.environment)
        live = cluster.get(SECRET, wanted.ref.namespace, wanted.ref.name)
        if live is None:
            return drifted
        if _is_foreign(live):
            text = f"another Secret has taken its name: {_whose(live)}"
            return Drifted(ref=drifted.ref, kind=DriftKind.CLAIMED, note=text)
        version = _annotations(live).get(COPIED_VERSION)
        if version and version != _annotations(wanted.manifest)[COPIED_VERSION]:
            source = _annotations(wanted.manifest)[COPIED_FROM]
            return Drifted(
                ref=drifted.ref,
                kind=DriftKind.OUTDATED,
                note=f"is a copy of {source} as it was before",
            )
        return drifted


@contextmanager
def _asking_hub(work: Work) -> Iterator[None]:
    """Say that it is the hub that does not answer, and not the target of the step."""
    try:
        yield
    except ClusterUnavailableError as exc:
        if work.is_on_hub:
            raise
        raise TransientError(
            f"hub {work.hub} does not answer: {exc}", retry_after=exc.retry_after
        ) from exc


def _is_copy(ref: ObjectRef) -> bool:
    """Whether an object of a step's inventory is a copied Secret."""
    return (ref.group, ref.kind) == ("", "Secret")


def _is_resource(ref: ObjectRef) -> bool:
    return not _is_copy(ref)


def _rendered(gathered: Gathered) -> Rendered:
    objects = gathered.objects
    return Rendered(waves=(objects,) if objects else (), digest="")


def _check_names(
    work: Work, names: Iterable[str], resources: Iterable[Desired]
) -> None:
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


def _copy(
    live: Manifest, goal: ObjectRef, keys: Sequence[tuple[str, str]], source: str
) -> Manifest:
    """Return the copy of a Secret."""
    data: Mapping[str, Any] = live.get("data") or {}
    chosen = keys or [(key, key) for key in data]
    metadata: Mapping[str, Any] = live["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": goal.name,
            "namespace": goal.namespace,
            "annotations": {
                COPIED_FROM: source,
                COPIED_VERSION: f"{metadata.get('uid')}/{metadata['resourceVersion']}",
            },
        },
        "data": {name: str(data[key] or "") for key, name in chosen},
    }


def _is_foreign(live: Manifest) -> bool:
    """Whether nothing says that we made an object: no label, and no field of ours."""
    metadata: Mapping[str, Any] = live.get("metadata") or {}
    if ENVIRONMENT_LABEL in _labels(live):
        return False  # another environment's is told by its inventory
    return not any(is_our_apply(entry) for entry in metadata.get("managedFields") or ())


def _whose(live: Manifest) -> str:
    """Return who seems to have made an object."""
    metadata: Mapping[str, Any] = live.get("metadata") or {}
    owners = [
        f"{owner.get('kind')}/{owner.get('name')}"
        for owner in metadata.get("ownerReferences") or ()
    ]
    if owners:
        return f"it belongs to {cut(', '.join(owners), 120)}"
    manager = _labels(live).get("app.kubernetes.io/managed-by")
    if manager:
        return f"it is managed by {cut(manager, 64)}"
    managers = dict.fromkeys(
        str(entry.get("manager")) for entry in metadata.get("managedFields") or ()
    )
    who = cut(", ".join(managers), 120) or "somebody unknown"
    return f"it was written by {who}"


def _labels(manifest: Manifest) -> Mapping[str, str]:
    return (manifest.get("metadata") or {}).get("labels") or {}


def _annotations(manifest: Manifest) -> Mapping[str, str]:
    return (manifest.get("metadata") or {}).get("annotations") or {}
