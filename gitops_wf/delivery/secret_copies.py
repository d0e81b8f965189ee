"""Secrets of cloud resources, copied from the hub to where they are used."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self

from gitops_wf.core.changeset import ChangeSet
from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.health import (
    Health,
)
from gitops_wf.core.inventory import Inventory, Manifest, ObjectRef, annotations_of
from gitops_wf.core.phases import Reason
from gitops_wf.core.planned import Planned, PlannedObject
from gitops_wf.core.upkeep.findings import Drifted, DriftKind, Findings
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.delivery.choosing import Part
from gitops_wf.delivery.delivery import Delivery
from gitops_wf.delivery.hub import (
    Hub,
    Resource,
    Work,
    check_names,
    is_copy,
    labels_of,
)
from gitops_wf.delivery.names import (
    CLAIMED,
    COPIED_FROM,
    COPIED_VERSION,
    ENVIRONMENT_LABEL,
    label_value,
)
from gitops_wf.delivery.observing import DONE
from gitops_wf.delivery.orders import Order, Rendered
from gitops_wf.delivery.rendering import Desired, Source, desired_objects
from gitops_wf.delivery.settled import is_our_apply
from gitops_wf.ports.cluster import NAMESPACE, SECRET, Clusters
from gitops_wf.ports.runner import Capabilities

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


class SecretCopies:
    """Copies the Secrets of what is on a hub, by a Delivery.

    Values of Secrets are only in memory and on the targets.
    """

    def __init__(self, *, hub: Hub, delivery: Delivery, clusters: Clusters) -> None:
        self.hub = hub
        self._delivery = delivery
        self._clusters = clusters

    @classmethod
    def of(cls, capabilities: Capabilities, delivery: Delivery) -> Self:
        """Return it over what the daemon offers."""
        hub = Hub(
            delivery=delivery,
            clusters=capabilities.clusters,
            rules=capabilities.cloud,
            health=capabilities.health,
        )
        return cls(hub=hub, delivery=delivery, clusters=capabilities.clusters)

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
            concerns=is_copy,
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
        seen = self.hub.seen(work)
        check_names(work, work.names, [each.desired for each in seen])
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

    def _copied(
        self,
        work: Work,
        wish: Wish,
        each: Resource,
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
        self, work: Work, wish: Wish, each: Resource, secret: ObjectRef, *, ready: bool
    ) -> tuple[Manifest | None, str]:
        """Return a Secret that can be copied, or what is missing yet."""
        ref, status = each.desired.ref, each.status
        if ready and status.health not in DONE:
            return None, f"{ref}: {status.message or status.health}"
        place = f"{secret} on hub {work.hub}"
        live = self.hub.secret(work, each, secret)
        if live is None:
            return None, f"{place}, the Secret of {ref}, is not there"
        data = live.get("data") or {}
        missing = [key for key, _ in wish.keys if key not in data]
        if missing:
            there = ", ".join(sorted(data)) or "none"
            return None, f"{place} has no key {', '.join(missing)}; it has {there}"
        return live, ""

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
        version = annotations_of(live).get(COPIED_VERSION)
        if version and version != annotations_of(wanted.manifest)[COPIED_VERSION]:
            source = annotations_of(wanted.manifest)[COPIED_FROM]
            return Drifted(
                ref=drifted.ref,
                kind=DriftKind.OUTDATED,
                note=f"is a copy of {source} as it was before",
            )
        return drifted


def _rendered(gathered: Gathered) -> Rendered:
    objects = gathered.objects
    return Rendered(waves=(objects,) if objects else (), digest="")


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
    if ENVIRONMENT_LABEL in labels_of(live):
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
    manager = labels_of(live).get("app.kubernetes.io/managed-by")
    if manager:
        return f"it is managed by {cut(manager, 64)}"
    managers = dict.fromkeys(
        str(entry.get("manager")) for entry in metadata.get("managedFields") or ()
    )
    who = cut(", ".join(managers), 120) or "somebody unknown"
    return f"it was written by {who}"
