"""Keeping a released revision as it was: comparing it, and applying what drifted."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from gitops_wf.core.changeset import ChangeSet
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.health import HealthRules
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import Inventory, ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.core.upkeep.findings import Findings
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.delivery.comparing import Comparer
from gitops_wf.delivery.inventories import (
    InventoryStore,
    Writer,
    check_number,
    check_owner,
    entry_of,
)
from gitops_wf.delivery.memory import Memory
from gitops_wf.delivery.observing import Observer
from gitops_wf.delivery.ordering import stages
from gitops_wf.delivery.rendering import Desired
from gitops_wf.delivery.rollout import Rollout
from gitops_wf.delivery.snapshot import Snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """The objects of one step of a released revision on its target.

    ``number`` is the revision's. ``rules`` say what may differ.
    """

    store: InventoryStore
    writer: Writer
    target: TargetName
    number: int
    step: str
    objects: tuple[Desired, ...]
    rules: tuple[IgnoreRule, ...]
    health: HealthRules
    snapshots: Snapshots
    memory: Memory
    settled: Memory

    @property
    def environment(self) -> EnvironmentId:
        """Whose objects they are."""
        return self.store.environment

    def look(self, max_age: timedelta) -> Findings:
        """Return what drifted, and how the objects are; nothing is written.

        Errors: those of a cluster that does not answer; TerminalError (StoreBehind,
        OwnedByAnother) where what differs is not ours to judge.
        """
        observer = self._observer(max_age)
        live = observer.live(entry_of(item, self.step) for item in self.objects)
        drifted = tuple(self._comparer.compare(self.objects, live))
        if drifted:
            # Only then: the inventory is a request of its own.
            self._check(self.store.read())
        gone = {
            item.ref
            for item in self.objects
            if live[item.ref] is None and item.runs_once
        }
        return Findings(
            drifted=drifted,
            health={
                ref: observer.health(found)
                for ref, found in live.items()
                if ref not in gone
            },
        )

    def heal(self, refs: Collection[ObjectRef], rollout: Rollout) -> ChangeSet:
        """Apply these objects as they were released, but for what may differ.

        Fields are taken from whoever has them by now: they were ours when the
        revision was released. Errors: those of the objects, as of any apply;
        TerminalError where the inventory says that somebody else delivers by now.
        """

        def unchanged(old: Inventory) -> Inventory:
            self._check(old)
            return old

        self.store.update(self.writer, unchanged)
        chosen = [item for item in self.objects if item.ref in refs]
        observer = self._observer(timedelta())
        live = observer.live(entry_of(item, self.step) for item in chosen)
        wanted = [self._comparer.wanted(item, live[item.ref]) for item in chosen]
        return ChangeSet(entries=tuple(rollout.apply(stages(wanted))))

    def _check(self, inventory: Inventory) -> None:
        place, environment = self.store.place, self.environment
        check_owner(inventory, self.writer, environment, place)
        check_number(inventory, self.number, environment, place)
        if inventory.number < self.number:
            raise TerminalError(
                f"{place} is of #{inventory.number}, and #{self.number} was delivered:"
                " the cluster was restored, or somebody deleted it; a decision"
                " `redeploy` delivers all of it again",
                reason=Reason.STORE_BEHIND,
            )

    def _observer(self, max_age: timedelta) -> Observer:
        return Observer(
            target=self.target,
            cluster=self.store.cluster,
            snapshots=self.snapshots,
            max_age=max_age,
            rules=self.health,
        )

    @property
    def _comparer(self) -> Comparer:
        return Comparer(
            cluster=self.store.cluster,
            environment=self.environment,
            rules=self.rules,
            memory=self.memory,
            settled=self.settled,
        )
