"""Render, apply, prune and look: what the deploy steps ask for."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from gitops_wf.core.changeset import ChangeEntry, ChangeSet
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.health import NO_RULES, HealthRules
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import Inventory, InventoryEntry, Manifest, ObjectRef
from gitops_wf.core.planned import Planned
from gitops_wf.core.secret import Secret
from gitops_wf.core.upkeep.findings import Findings
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.delivery.applying import Applier, wait
from gitops_wf.delivery.claims import Claims
from gitops_wf.delivery.inventories import (
    InventoryStore,
    Writer,
    check_number,
    entry_of,
    merged,
)
from gitops_wf.delivery.keeping import Keeping
from gitops_wf.delivery.memory import Memory
from gitops_wf.delivery.observing import ObjectHealth, Observer
from gitops_wf.delivery.order_rendering import OrderRendering
from gitops_wf.delivery.ordering import stages
from gitops_wf.delivery.orders import Order, Rendered
from gitops_wf.delivery.planning import Outcome, plan, unheard
from gitops_wf.delivery.pruning import (
    Pruned,
    left_behind,
    left_by_others,
    nobody,
    prune,
)
from gitops_wf.delivery.rehearsing import RehearsedCluster
from gitops_wf.delivery.rendering import (
    Desired,
    Source,
)
from gitops_wf.delivery.rollout import Rollout
from gitops_wf.delivery.snapshot import Snapshots
from gitops_wf.ports.cluster import ClusterRefusalError, Clusters
from gitops_wf.ports.content import Content
from gitops_wf.ports.manifests import ManifestReader
from gitops_wf.ports.renderer import Renderer
from gitops_wf.ports.revisions import Revisions
from gitops_wf.ports.secrets import Secrets

THREADS = 16
"""Requests in flight for all applies of the process together."""


class Delivery:
    """Delivers environments to targets; one for the process, used by all threads."""

    def __init__(
        self,
        *,
        clusters: Clusters,
        content: Content,
        read: ManifestReader,
        instance: str,
        adopt: bool = False,
        digest_key: Secret,
        health: HealthRules = NO_RULES,
        renderer: Renderer,
        secrets: Secrets,
        revisions: Revisions,
        pause: Callable[[float], None] = wait,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clusters = clusters
        self._rendering = OrderRendering(
            clusters=clusters,
            content=content,
            read=read,
            digest_key=digest_key,
            renderer=renderer,
            secrets=secrets,
        )
        self._instance = instance
        self._adopt = adopt
        self._revisions = revisions
        self._health = health
        self._pause = pause
        self._snapshots = Snapshots(monotonic)
        self._memory = Memory()
        self._settled = Memory()
        self._locks: dict[tuple[EnvironmentId, TargetName], threading.Lock] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="apply")

    def render(self, order: Order) -> Rendered:
        """Return what the environment wants; nothing is written.

        Errors: DefinitionError (`path:line: …`), TerminalError.
        """
        return self._rendering.render(order)

    def read_file(self, order: Order, path: str) -> list[Source]:
        """Return the objects of one file, by its path from the repository's root.

        Variables are filled in. Errors: those of `render`.
        """
        return self._rendering.read_file(order, path)

    def wanted(self, order: Order) -> tuple[Desired, ...]:
        """Return what an order renders to and owns, from memory where it is there.

        Errors: those of `render`.
        """
        return self._rendering.wanted(order)

    def plan(self, order: Order, rendered: Rendered | None = None) -> Planned:
        """Return what `render` and `deliver` would do; the clusters are rehearsed.

        A wave counts as healthy once it was applied.

        Errors: those of `render`.
        """
        rendered = rendered or self.render(order)

        def deliver(told: Callable[[ObjectRef, Outcome], None]) -> ChangeSet:
            entries: list[ChangeEntry] = []
            for wave in range(max(len(rendered.waves), 1)):
                entries += self.deliver(order, rendered, wave, told=told).entries
            return ChangeSet(entries=tuple(entries))

        wanted = [item.ref for item in rendered.objects]
        return plan(self._rehearsed(order.target, order.id), wanted, deliver)

    def plan_claim(self, order: Order) -> frozenset[ObjectRef]:
        """Claim what `deliver` would, before it does anything; return these objects.

        The clusters are rehearsed. Errors: those of `render` and of the claim.
        """
        self._rehearsed(order.target, order.id)
        rendered = self.render(order)
        self._claim(self.inventory_store(order.id, order.target), order, rendered)
        return frozenset(item.ref for item in rendered.owned)

    def plan_departed(
        self,
        environment: EnvironmentId,
        target: TargetName,
        *,
        keep: Iterable[str],
        allow_empty: bool = False,
        now: datetime,
    ) -> Planned:
        """Return what `prune_departed` would do; the clusters are rehearsed."""
        return plan(
            self._rehearsed(target, environment),
            (),
            lambda _: self.prune_departed(
                environment, target, keep=keep, allow_empty=allow_empty, now=now
            ),
        )

    def _rehearsed(
        self, target: TargetName, environment: EnvironmentId
    ) -> RehearsedCluster:
        cluster = self._clusters.cluster(target, environment)
        if not isinstance(cluster, RehearsedCluster):
            raise TypeError("a plan is made on clusters that write nothing")
        return cluster

    def deliver(
        self,
        order: Order,
        rendered: Rendered,
        wave: int = 0,
        *,
        waits: bool = False,
        yields: bool = False,
        told: Callable[[ObjectRef, Outcome], None] = unheard,
    ) -> ChangeSet:
        """Apply one wave of what was rendered; with the last, prune what left.

        Waves count from 0; whether one may be applied yet is for the caller to know.
        ``told`` is as in Rollout. With ``waits`` what left is deleted wave by wave,
        with ``yields`` not while another environment may be about to take it over;
        where that is held up, `prune` goes on with it.
        The inventory holds old and new objects before the first write, and only
        the new ones after the last delete. Where an object fails, the others of
        its stage are still applied, nothing is pruned, and the inventory keeps all.
        """
        store = self.inventory_store(order.id, order.target)
        objects = rendered.objects
        before = self._claim(store, order, rendered)
        rollout = self._rollout(order, force_conflicts=order.force_conflicts, told=told)
        changes = rollout.apply(stages(rendered.waves[wave] if objects else ()))
        if not order.prune or wave + 1 < len(rendered.waves):
            return ChangeSet(entries=tuple(changes))
        wanted = [item.ref for item in objects]
        pruned = self._prune(store, order, wanted, before, waits=waits, yields=yields)
        return replace(pruned, entries=(*changes, *pruned.entries))

    def prune(self, order: Order, *, waits: bool, yields: bool) -> ChangeSet:
        """Go on deleting what left, where the last delivery was held up in it.

        It may be for many looks: what the order renders to is taken from memory.
        """
        store = self.inventory_store(order.id, order.target)
        wanted = [item.ref for item in self._rendering.objects(order)]
        old = self._checked(store, order)
        return self._prune(store, order, wanted, old, waits=waits, yields=yields)

    def take_away(self, order: Order, refs: Collection[str]) -> ChangeSet:
        """Delete objects of the step that did what they are for, by their texts.

        What keeps an object from a prune keeps it from this.
        """
        store = self.inventory_store(order.id, order.target)
        done = [
            entry
            for entry in self._checked(store, order).entries
            if entry.step == order.step and str(entry.ref) in refs
        ]
        return self._deleted(store, order.id, order.target, done).changes

    def _checked(self, store: InventoryStore, order: Order) -> Inventory:
        """Return the inventory of a delivery that goes on, if it is still ours."""

        def unchanged(old: Inventory) -> Inventory:
            check_number(old, order.number, order.id, store.place)
            return old

        return store.update(self._writer(order.now), unchanged)

    def observe(
        self,
        environment: EnvironmentId,
        target: TargetName,
        *,
        steps: Iterable[str] | None = None,
        objects: Collection[str] | None = None,
        max_age: timedelta,
    ) -> list[ObjectHealth]:
        """Return the health of what these steps own there; None is all steps.

        ``objects`` are the texts of those that matter; None is all.
        """
        entries = self.inventory(environment, target).entries
        owners = None if steps is None else set(steps)
        observer = Observer(
            target=target,
            cluster=self._clusters.cluster(target, environment),
            snapshots=self._snapshots,
            max_age=max_age,
            rules=self._health,
        )
        return observer.observe(
            entry
            for entry in entries
            if (owners is None or entry.step in owners)
            and (objects is None or str(entry.ref) in objects)
        )

    def runs(self, order: Order) -> bool:
        """Whether objects come alive on the order's target."""
        return self._clusters.cluster(order.target, order.id).has_status

    def live(self, order: Order, ref: ObjectRef, version: str) -> Manifest | None:
        """Return an object as it is on the order's target now."""
        cluster = self._clusters.cluster(order.target, order.id)
        api_version = f"{ref.group}/{version}" if ref.group else version
        resource = cluster.resource(api_version, ref.kind)
        return cluster.get(resource, ref.namespace, ref.name)

    def look(
        self,
        order: Order,
        rules: tuple[IgnoreRule, ...],
        *,
        max_age: timedelta,
        objects: tuple[Desired, ...] | None = None,
    ) -> Findings:
        """Return what is not as it was released; see `Keeping.look`.

        ``objects`` are what is wanted, where that is not what the order renders.
        """
        return self._keeping(order, rules, objects).look(max_age)

    def heal(
        self,
        order: Order,
        rules: tuple[IgnoreRule, ...],
        refs: Collection[ObjectRef],
        objects: tuple[Desired, ...] | None = None,
    ) -> ChangeSet:
        """Apply again what drifted; see `Keeping.heal`, and `look` for ``objects``."""
        rollout = self._rollout(order, force_conflicts=True)
        return self._keeping(order, rules, objects).heal(refs, rollout)

    def complete(self, order: Order) -> Inventory:
        """Record that a step has brought its objects to its inputs, healthy.

        Returns what the environment owns on the target by that.
        """
        return self.inventory_store(order.id, order.target).update(
            self._writer(order.now),
            lambda old: replace(
                old, completed={**old.completed, order.step: order.inputs}
            ),
        )

    def prune_departed(
        self,
        environment: EnvironmentId,
        target: TargetName,
        *,
        keep: Iterable[str],
        allow_empty: bool = False,
        now: datetime,
        yields: bool = False,
    ) -> ChangeSet:
        """Delete what is owned by steps other than those to keep.

        To be called at the end of a run that went well, and again while something
        holds it up; ``yields`` is as in `deliver`. Errors: TerminalError
        (PruneToEmpty) where nothing would be left, unless that is allowed.
        """
        store = self.inventory_store(environment, target)
        present = set(keep)
        # Changes nothing, and stops before the first delete if it is another's.
        old = store.update(self._writer(now), lambda old: old)
        gone = left_by_others(old, steps=present, allow_empty=allow_empty)
        pruned = self._deleted(
            store, environment, target, gone, waits=True, yields=yields
        )
        dropped = set(gone) - set(pruned.kept)
        store.update(
            self._writer(now),
            lambda old: replace(
                old,
                entries=tuple(entry for entry in old.entries if entry not in dropped),
                completed={
                    step: digest
                    for step, digest in old.completed.items()
                    if step in present
                },
            ),
        )
        return pruned.changes

    def inventory(self, environment: EnvironmentId, target: TargetName) -> Inventory:
        """Return what an environment owns on a target."""
        return self.inventory_store(environment, target).read()

    def inventory_store(
        self, environment: EnvironmentId, target: TargetName
    ) -> InventoryStore:
        """Return where the inventory of an environment on a target is kept."""
        return InventoryStore(
            cluster=self._clusters.cluster(target, environment),
            namespace=self._clusters.namespace(target),
            environment=environment,
            lock=self._locks.setdefault((environment, target), threading.Lock()),
        )

    def _claims(self, store: InventoryStore) -> Claims:
        return Claims(
            cluster=store.cluster,
            namespace=store.namespace,
            environment=store.environment,
        )

    def _writer(self, now: datetime) -> Writer:
        return Writer(instance=self._instance, now=now, adopt=self._adopt)

    def _keeping(
        self,
        order: Order,
        rules: tuple[IgnoreRule, ...],
        objects: tuple[Desired, ...] | None,
    ) -> Keeping:
        return Keeping(
            store=self.inventory_store(order.id, order.target),
            writer=self._writer(order.now),
            target=order.target,
            number=order.number,
            step=order.step,
            objects=self.wanted(order) if objects is None else objects,
            rules=rules,
            health=self._health,
            snapshots=self._snapshots,
            memory=self._memory,
            settled=self._settled,
        )

    def _rollout(
        self,
        order: Order,
        *,
        force_conflicts: bool,
        told: Callable[[ObjectRef, Outcome], None] = unheard,
    ) -> Rollout:
        store = self.inventory_store(order.id, order.target)
        return Rollout(
            cluster=store.cluster,
            target=order.target,
            environment=order.id,
            claims=self._claims(store),
            applier=Applier(
                cluster=store.cluster,
                memory=self._settled,
                force=order.force,
                force_conflicts=force_conflicts,
                pause=self._pause,
                health=self._health,
            ),
            snapshots=self._snapshots,
            threads=self._threads,
            told=told,
        )

    def _claim(
        self,
        store: InventoryStore,
        order: Order,
        rendered: Rendered,
    ) -> Inventory:
        """Write old and new into the inventory; return it.

        The one write that may come before it is the inventory's own namespace.
        """
        new = [entry_of(item, order.step) for item in rendered.owned]
        wanted = [item.ref for item in rendered.objects]

        def claimed(old: Inventory) -> Inventory:
            check_number(old, order.number, order.id, store.place)
            left_behind(
                old,
                wanted,
                steps=[order.step],
                concerns=order.concerns,
                allow_empty=order.environment.allow_empty or not order.prune,
            )
            return replace(
                old,
                entries=merged(old.entries, new),
                number=order.number,
                commit=order.commit,
                completed={
                    step: digest
                    for step, digest in old.completed.items()
                    if step != order.step or digest == order.inputs
                },
            )

        try:
            return store.update(self._writer(order.now), claimed)
        except ClusterRefusalError as exc:
            own = [
                item
                for item in rendered.objects
                if (item.ref.group, item.ref.kind) == ("", "Namespace")
                and item.ref.name == store.namespace
            ]
            if exc.reason != "NamespaceNotFound":
                raise
            if not own:
                raise TerminalError(
                    f"namespace {store.namespace} of target {order.target} does not "
                    "exist: create it, or add it to the manifests",
                    reason="NamespaceNotFound",
                ) from exc
            store.cluster.apply(own[0].manifest)
        return store.update(self._writer(order.now), claimed)

    def _prune(
        self,
        store: InventoryStore,
        order: Order,
        wanted: Iterable[ObjectRef],
        before: Inventory,
        *,
        waits: bool,
        yields: bool,
    ) -> ChangeSet:
        gone = left_behind(
            before,
            wanted,
            steps=[order.step],
            concerns=order.concerns,
            allow_empty=order.environment.allow_empty,
        )
        if not gone:
            return ChangeSet()
        pruned = self._deleted(
            store, order.id, order.target, gone, waits=waits, yields=yields
        )
        dropped = set(gone) - set(pruned.kept)
        store.update(
            self._writer(order.now),
            lambda old: replace(
                old,
                entries=tuple(entry for entry in old.entries if entry not in dropped),
            ),
        )
        return pruned.changes

    def _deleted(
        self,
        store: InventoryStore,
        environment: EnvironmentId,
        target: TargetName,
        gone: Sequence[InventoryEntry],
        *,
        waits: bool = False,
        yields: bool = False,
    ) -> Pruned:
        pruned = prune(
            store.cluster,
            environment,
            gone,
            self._claims(store).elsewhere,
            waits=waits,
            claimants=(
                partial(self._revisions.claimants, environment, target)
                if yields
                else nobody
            ),
        )
        for entry in gone:
            ref = entry.ref
            self._snapshots.written(target, ref.group, ref.kind, ref.namespace)
        return pruned
