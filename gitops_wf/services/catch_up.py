"""A store that is older than the clusters, or newer: found when the daemon begins.

A restored backup knows less than what is delivered. Such environments are brought back
as on a first start, and what they had not ended is ended: it must not be delivered
over what came after it. A cluster that was restored is told, and left as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from gitops_wf.core.errors import cut
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.revision import Revision
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.store import EnvironmentRecord, Reader, Store, Transaction
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.placing import end_unfinished
from gitops_wf.services.recall import Recall, Recalled
from gitops_wf.services.watched import Watched

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """Compares what the store and the clusters know of one repository."""

    watched: Watched
    store: Store
    clock: Clock
    recall: Recall
    advance: Advance
    announcer: Announcer

    def act(self) -> bool:
        """Mark the environments that the store is behind of, and say if there are any.

        To be called outside a transaction: clusters are asked. One that cannot be
        asked changes nothing: what it holds is looked at before each write, too.
        """
        with self.store.read() as reader:
            records = [
                record
                for record in reader.environments(self.watched.name)
                if not (record.is_removed or record.is_returning)
            ]
            targets = {record.id: self._targets(record) for record in records}
        recalled = self.recall.read(targets)
        now = self.clock.now()
        behind = {r.id for r in records if recalled[r.id].newest.number > r.last_number}
        with self.store.read() as reader:
            refused = (
                {record.id for record in records if _was_refused(reader, record)}
                if self.recall.adopt
                else set()
            )
            lost = {
                record.id: found
                for record in records
                if (found := _lost(reader, record, recalled[record.id]))
            }
        for record in records:
            if record.id in behind:
                self._behind(record, recalled[record.id], now)
            elif record.id in refused:
                self._mark(record)
            elif record.id in lost:
                self._tell_lost(record, lost[record.id], now)
        return bool(behind)

    def _targets(self, record: EnvironmentRecord) -> tuple[TargetName, ...]:
        known = record.definition
        return known.targets if known else self.watched.config.targets

    def _behind(
        self, record: EnvironmentRecord, found: Recalled, now: datetime
    ) -> None:
        newest = found.newest
        text = (
            f"#{newest.number} ({newest.commit[:8]}) is delivered, and the store knows"
            f" only #{record.last_number}: it was restored from a backup; what came"
            " since is taken from Git and the targets"
        )
        with self.store.transaction() as transaction:
            transaction.lock_environment(record.id)
            transaction.save_environment(replace(record, is_returning=True))
            end_unfinished(
                transaction,
                record.id,
                self.advance,
                self.announcer,
                reason=Reason.STORE_BEHIND,
                message=text,
                now=now,
            )
            self._tell(transaction, record, Reason.STORE_BEHIND, text, now)
        log.warning("store.behind", environment=record.id, cause=text)

    def _mark(self, record: EnvironmentRecord) -> None:
        with self.store.transaction() as transaction:
            transaction.lock_environment(record.id)
            transaction.save_environment(replace(record, is_returning=True))

    def _tell_lost(
        self, record: EnvironmentRecord, lost: Mapping[TargetName, str], now: datetime
    ) -> None:
        text = cut(
            "; ".join(lost.values()) + "; the next revision delivers all of it again,"
            " and so does a decision `redeploy` of the newest one",
            1000,
        )
        with self.store.transaction() as transaction:
            self._tell(transaction, record, "InventoryBehind", text, now)
        log.warning("inventory.behind", environment=record.id, cause=text)

    def _tell(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        reason: str,
        text: str,
        now: datetime,
    ) -> None:
        event = Event(
            at=now,
            kind=f"{reason[0].lower()}{reason[1:]}",
            reason=reason,
            message=f"{record.name}: {text}",
            type=EventType.WARNING,
            environment=record.id,
        )
        self.announcer.announce(transaction, event)


def _was_refused(reader: Reader, record: EnvironmentRecord) -> bool:
    """Whether the newest revision ended because another daemon owned it."""
    newest: Revision | None = next(iter(reader.revisions(record.id, limit=1)), None)
    return (
        newest is not None
        and newest.phase is Phase.ERRORED
        and newest.reason == Reason.OWNED_BY_ANOTHER
    )


def _lost(
    reader: Reader, record: EnvironmentRecord, found: Recalled
) -> dict[TargetName, str]:
    """Return the targets whose inventory is older than the store's copy of it."""
    lost = {}
    for target, inventory in found.inventories.items():
        copy = reader.inventory(EnvironmentId(record.id), target)
        if copy is not None and inventory.number < copy.number:
            what = f"is of #{inventory.number}" if inventory.number else "is gone"
            lost[target] = (
                f"target {target}: the inventory {what}, and #{copy.number} was"
                " delivered: the cluster was restored, or somebody deleted it"
            )
    return lost
