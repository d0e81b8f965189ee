"""Looking after a released revision: drift, health, and healing what drifted.

A look only reads. Healing writes between two transactions: the first takes a lease,
under the environment's row and only while nothing of it is under way, and the second
records what came of it. An attempt of a run that begins meanwhile waits for the lease,
so the two never write at once; what a killed process leased, its successor ends.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

import structlog

from gitops_wf.core.environment import DRIFT, Drift, Environment
from gitops_wf.core.errors import GitOpsError, cut
from gitops_wf.core.identifiers import EnvironmentId, StepName, TargetName
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.revision import Revision
from gitops_wf.core.upkeep.findings import Findings
from gitops_wf.core.upkeep.state import (
    LONGEST_PAUSE,
    Change,
    Lease,
    Settled,
    UpkeepState,
    healed,
    settle,
    unhealed,
)
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.observer import Observer
from gitops_wf.ports.runner import ObjectKeeper, StepContext
from gitops_wf.ports.store import Store, Transaction
from gitops_wf.services.announce import Announcer
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.reaching import Reaching
from gitops_wf.services.step_runners import StepRunners
from gitops_wf.services.target_conditions import TargetConditions
from gitops_wf.services.upkeep_events import log_changes, upkeep_event
from gitops_wf.services.upkeep_subject import Kept, kept, why_not_healed
from gitops_wf.services.watched_store import Recorder

log = structlog.get_logger()

SHARED_AGE = timedelta(seconds=10)
"""How old a LIST may be that tells of drift: looks that meet share it."""

REST_AFTER_RELEASE = timedelta(minutes=1)
"""What a release has set in motion may settle before it is looked at."""

LEASE = timedelta(minutes=10)
"""Longer than the requests of one heal can take, all time-outs included."""

HEALED_AT_ONCE = 100
"""Objects of one heal; what is left is healed by the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A step, what its runner is told, and what it found."""

    keeper: ObjectKeeper
    context: StepContext
    found: Findings


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """Looks after environments, one at a time or several at once.

    ``drift`` is the daemon config's. ``holder`` names this process among those that
    share the store. ``shared_age`` is how old what a look sees may be.
    """

    store: Store
    clock: Clock
    runners: StepRunners
    approvals: Approvals
    announcer: Announcer
    recorder: Recorder
    observer: Observer
    reaching: Reaching
    conditions: TargetConditions
    drift: Drift = DRIFT
    holder: str = "local"
    shared_age: timedelta = SHARED_AGE

    def interval(self, definition: Environment | None) -> timedelta:
        """Return the time between two looks at an environment; nothing is never."""
        own = Drift() if definition is None else definition.drift
        return own.over(self.drift).interval or timedelta()

    def look(self, environment: EnvironmentId) -> datetime | None:
        """Look at all that an environment has released, and heal what is to be healed.

        Returns when to look again, where that is before the next look is due anyway.
        Errors: StoreUnavailableError.
        """
        with self.store.read() as reader:
            subject = kept(reader, environment)
            known = reader.upkeep(environment)
        if subject is None:
            return None
        now = self.clock.now()
        interval = self.interval(subject.revision.environment_definition)
        ended = subject.revision.ended or subject.revision.created
        rested = ended + min(REST_AFTER_RELEASE, interval)
        if now < rested:
            return rested
        self._forget(environment, known.keys() - subject.steps.keys())
        # First those that answer: the others may take their time.
        targets = sorted(
            subject.steps, key=lambda each: self.reaching.reach(each).is_failing(now)
        )
        soon = [
            self._take_turn(subject, target, known.get(target)) for target in targets
        ]
        return min((at for at in soon if at is not None), default=None)

    def end_leases(self) -> None:
        """End what an earlier process of this name had leased; it heals no more."""
        with self.store.read() as reader:
            found = [
                (environment, target, state)
                for environment, states in reader.upkeeps().items()
                for target, state in states.items()
                if state.lease is not None and state.lease.holder == self.holder
            ]
        for environment, target, state in found:
            with self.store.transaction() as transaction:
                _save(transaction, environment, target, replace(state, lease=None))

    def _take_turn(
        self, subject: Kept, target: TargetName, known: UpkeepState | None
    ) -> datetime | None:
        """Look at one target if it is time to; return when to look again, if soon.

        Of those that wait for a target to answer again only who asked it last comes
        soon: one is enough to find out.
        """
        with self.reaching.look(target) as refusal:
            if refusal is not None:
                return None if refusal.error else refusal.until
            state = self._look_at(subject, target, known)
        if state is not None:
            return state.look_again(self.clock.now())
        return self.reaching.reach(target).next

    def _look_at(
        self, subject: Kept, target: TargetName, known: UpkeepState | None
    ) -> UpkeepState | None:
        """Look at one target; return its state, None where there is none to act on."""
        revision = subject.revision
        with structlog.contextvars.bound_contextvars(
            environment=revision.environment,
            revision=revision.number,
            commit=revision.commit,
            target=target,
        ):
            interval = self.interval(revision.environment_definition)
            max_age = min(self.shared_age, interval / 2)
            seen = self._compare(subject, target, max_age=max_age)
            found = _joined(seen)
            self.observer.compared(target, succeeded=not found.problem)
            if not found.problem:
                self.conditions.compared(revision.environment, target)
            elif self.reaching.reach(target).failures:
                return None  # what is known stays, and of the target that is said once
            if known is None and self._is_well(subject, found):
                return None
            state = self._record(subject, target, found)
            if state is None or state.lease is None or isinstance(seen, str):
                return state
            return self._heal(subject, target, seen, state)

    def _is_well(self, subject: Kept, found: Findings) -> bool:
        """Whether there is nothing to record: so it is nearly always."""
        state = UpkeepState(number=subject.revision.number)
        settled = self._settle(state, subject, found, self.clock.now())
        return not (settled.state.is_remarkable or settled.changes)

    def _compare(
        self,
        subject: Kept,
        target: TargetName,
        *,
        max_age: timedelta,
    ) -> Mapping[StepName, _Step] | str:
        """Return what each step found, or why that cannot be found out."""
        drift = self._drift(subject.revision)
        seen = {}
        try:
            for step in subject.steps[target]:
                keeper = cast("ObjectKeeper", self.runners.runner(step))
                context = self.runners.context(
                    subject.run,
                    step,
                    subject.revision,
                    started=step.started or subject.run.created,
                    now=self.clock.now(),
                )
                found = keeper.compare(context, drift.ignore, max_age=max_age)
                seen[step.name] = _Step(keeper=keeper, context=context, found=found)
        except GitOpsError as error:
            return f"cannot be compared: {error}"
        except Exception as error:
            # A bug in one comparison must not end those of all others.
            log.exception("upkeep.crashed")
            return f"cannot be compared, a bug: {cut(repr(error))}"
        return seen

    def _record(
        self, subject: Kept, target: TargetName, found: Findings
    ) -> UpkeepState | None:
        """Store what a look found, and take the lease where there is to be healed.

        None where the environment has moved on meanwhile.
        """
        environment = subject.revision.environment
        with self.store.transaction() as transaction:
            transaction.lock_environment(environment)
            if not _is_still(transaction, subject):
                return None
            now = self.clock.now()
            number = subject.revision.number
            before = transaction.upkeep(environment).get(target)
            before = before or UpkeepState(number=number)
            if before.is_leased(now):
                return None  # another process heals it
            settled = self._settle(
                replace(before, number=number, lease=None), subject, found, now
            )
            state = settled.state
            self_heal = bool(self._drift(subject.revision).self_heal)
            heals = any(self_heal or not each.is_drift for each in state.drifted)
            held = (
                why_not_healed(transaction, self.approvals, environment, target, now)
                if heals
                else ""
            )
            state = replace(state, held=held)
            ready = state.healable(now, self_heal=self_heal)
            if heals and ready and not (held or found.problem):
                lease = Lease(holder=self.holder, until=now + LEASE)
                state = replace(state, lease=lease)
            if state != before:
                _save(transaction, environment, target, state)
            self._announce(transaction, subject, target, settled.changes)
        log_changes(settled.changes)
        if state.problem and not before.problem:
            log.warning("upkeep.failed", cause=state.problem)
        return state

    def _heal(
        self,
        subject: Kept,
        target: TargetName,
        seen: Mapping[StepName, _Step],
        leased: UpkeepState,
    ) -> UpkeepState | None:
        """Apply what drifted, look whether it lasts, and give the lease back."""
        drift = self._drift(subject.revision)
        refs = leased.healable(self.clock.now(), self_heal=bool(drift.self_heal))
        refs = refs[:HEALED_AT_ONCE]
        problem = ""
        for step in seen.values():
            mine = [each.ref for each in step.found.drifted if each.ref in refs]
            if mine:
                problem = self._apply(step, drift, mine) or problem
        self.observer.healed(target, succeeded=not problem)
        found = _joined(self._compare(subject, target, max_age=timedelta()))
        return self.recorder.insist(
            lambda: self._end(subject, leased.lease, target, refs, (found, problem))
        )

    def _apply(self, step: _Step, drift: Drift, refs: Collection[ObjectRef]) -> str:
        """Apply objects of one step again; return why not, where that failed."""
        try:
            changes = step.keeper.heal(step.context, drift.ignore, refs)
        except GitOpsError as error:
            log.warning("drift.unhealed", cause=str(error))
            return str(error)
        except Exception as error:
            log.exception("upkeep.crashed")
            return f"a bug: {cut(repr(error))}"
        log.info("drift.applied", message=str(changes))
        return ""

    def _end(
        self,
        subject: Kept,
        lease: Lease | None,
        target: TargetName,
        refs: Collection[ObjectRef],
        outcome: tuple[Findings, str],
    ) -> UpkeepState | None:
        """Give the lease back; record what a look found then, and why it failed."""
        found, problem = outcome
        environment = subject.revision.environment
        with self.store.transaction() as transaction:
            transaction.lock_environment(environment)
            before = transaction.upkeep(environment).get(target)
            if before is None or before.lease != lease:
                return before  # its commit came through, though its answer did not
            now = self.clock.now()
            state = healed(replace(before, lease=None), refs, now)
            settled = Settled(state=state)
            if _is_still(transaction, subject):
                settled = self._settle(state, subject, found, now)
                if problem:
                    failed = unhealed(settled.state, refs, problem)
                    settled = Settled(
                        state=failed.state,
                        changes=(*settled.changes, *failed.changes),
                    )
            _save(transaction, environment, target, settled.state)
            self._announce(transaction, subject, target, settled.changes)
        log_changes(settled.changes)
        return settled.state

    def _settle(
        self, state: UpkeepState, subject: Kept, found: Findings, now: datetime
    ) -> Settled:
        interval = self.interval(subject.revision.environment_definition)
        return settle(state, found, now, calm=2 * interval + LONGEST_PAUSE)

    def _announce(
        self,
        transaction: Transaction,
        subject: Kept,
        target: TargetName,
        changes: Sequence[Change],
    ) -> None:
        revision = subject.revision
        for change in changes:
            event = upkeep_event(change, revision, target, self.clock.now())
            self.announcer.announce(transaction, event, revision)

    def _drift(self, revision: Revision) -> Drift:
        definition = revision.environment_definition
        assert definition is not None
        return definition.drift.over(self.drift)

    def _forget(
        self, environment: EnvironmentId, targets: Collection[TargetName]
    ) -> None:
        if not targets:
            return
        with self.store.transaction() as transaction:
            for target in targets:
                transaction.forget_upkeep(environment, target)


def _joined(seen: Mapping[StepName, _Step] | str) -> Findings:
    if isinstance(seen, str):
        return Findings(problem=seen)
    found = Findings()
    for step in seen.values():
        found = found.joined(step.found)
    return found


def _is_still(transaction: Transaction, subject: Kept) -> bool:
    """Whether the environment is as it was when it was looked at."""
    now = kept(transaction, subject.revision.environment)
    return now is not None and now.run.id == subject.run.id


def _save(
    transaction: Transaction,
    environment: EnvironmentId,
    target: TargetName,
    state: UpkeepState,
) -> None:
    if state.is_remarkable:
        transaction.save_upkeep(environment, target, state)
    else:
        transaction.forget_upkeep(environment, target)
