"""Judging decisions that a commit brought, and letting them act."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gitops_wf.core.decision import Decision, Effect, EntryKey, Verb
from gitops_wf.core.engine import next_due
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.policy import Rulebook
from gitops_wf.core.revision import Revision
from gitops_wf.core.verdict import Bench, judge
from gitops_wf.ports.store import Transaction
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.revisions import ended_event, judged_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """Judges decisions and lets them act, in the caller's transaction."""

    advance: Advance
    approvals: Approvals
    announcer: Announcer
    rulebook: Rulebook

    def take(
        self,
        transaction: Transaction,
        decision: Decision,
        now: datetime,
        *,
        contributors: frozenset[str] = frozenset(),
        hint: str = "",
        is_removed: bool = False,
    ) -> Decision:
        """Judge a new decision, store its verdict and let it act.

        The environment's row is held. ``contributors``, ``hint`` and ``is_removed``
        as in Bench. A decision with an id replaces the verdict that it had.
        """
        environment = decision.environment
        active = transaction.active_run(environment)
        due = next_due(active) if active is not None else None
        if due is not None and due <= now:
            # What was over before the decision came stays so, seen or not.
            self.advance.environment(transaction, environment, now)
        revisions = transaction.revisions(environment)
        meant = [
            r
            for r in revisions
            if r.commit.startswith(decision.entry.revision.casefold())
        ]
        newest = meant[0] if meant else None
        runs = (
            transaction.runs(environment, number=newest.number, limit=1)
            if newest
            else ()
        )
        judged = judge(
            decision,
            Bench(
                revisions=revisions,
                runs={run.subject.number: run for run in runs},
                policy=(
                    self.approvals.policy(newest)
                    if newest
                    else self.rulebook.policy_for(environment)
                ),
                gates=self.rulebook.gates_for(written_targets(newest)),
                freezes=self.rulebook.freezes_for(environment, written_targets(newest)),
                contributors=contributors,
                hint=hint,
                is_removed=is_removed,
            ),
        )
        stored = transaction.save_decision(judged)
        if stored.id and stored.commit != judged.commit:
            return stored  # the same person's same entry: it acts once
        revision = newest if judged.revision is not None else None
        self._tell(transaction, stored, revision, now)
        if stored.effect is Effect.ACCEPTED and revision is not None:
            self._act(transaction, stored, revision, now)
        return stored

    def withdraw(
        self,
        transaction: Transaction,
        environment: EnvironmentId,
        present: Iterable[EntryKey],
        now: datetime,
    ) -> None:
        """Withdraw approvals that have not acted and no longer stand in the files.

        What has acted is not undone; that its entry is gone is told all the same.
        """
        keys = set(present)
        for decision in transaction.decisions(environment):
            if decision.effect is not Effect.ACCEPTED or decision.entry.key in keys:
                continue
            if decision.entry.decision is not Verb.APPROVE:
                continue
            if decision.acted:
                reason = "its entry was removed after it had acted: nothing is undone"
                if decision.reason == reason:
                    continue
                transaction.save_decision(replace(decision, reason=reason))
                self._tell_removal(transaction, decision, reason, now)
                continue
            reason = "its entry was removed before its step was released"
            withdrawn = replace(decision, effect=Effect.WITHDRAWN, reason=reason)
            transaction.save_decision(withdrawn)
            self._tell_removal(transaction, withdrawn, reason, now)

    def _act(
        self,
        transaction: Transaction,
        decision: Decision,
        revision: Revision,
        now: datetime,
    ) -> None:
        entry = decision.entry
        match entry.decision:
            case Verb.APPROVE:
                pass  # it counts when its step waits; the environment is moved on
            case Verb.REJECT | Verb.ABORT:
                self._end(transaction, decision, revision, now)
            case Verb.RETRY | Verb.REDEPLOY:
                # Its turn has to come as any other's: a pause or `after` holds it, too.
                transaction.save_revision(
                    replace(
                        revision,
                        phase=Phase.PENDING,
                        reason="",
                        message="",
                        ended=None,
                        keeps=entry.decision is Verb.RETRY,
                    )
                )
                transaction.save_decision(replace(decision, acted=True))
        self.advance.environment(transaction, revision.environment, now)

    def _end(
        self,
        transaction: Transaction,
        decision: Decision,
        revision: Revision,
        now: datetime,
    ) -> None:
        ended = ended_by(revision, decision, now)
        transaction.save_revision(replace(revision, barred=ended.barred))
        active = transaction.active_run(revision.environment)
        if active is not None and active.subject.number == revision.number:
            self.advance.end(
                transaction,
                active,
                reason=ended.reason,
                message=ended.message,
                now=now,
            )
        else:
            transaction.save_revision(ended)
            self.announcer.announce(transaction, ended_event(ended, now), ended)
        transaction.save_decision(replace(decision, acted=True))

    def _tell(
        self,
        transaction: Transaction,
        decision: Decision,
        revision: Revision | None,
        now: datetime,
    ) -> None:
        event = judged_event(decision, revision, now)
        self.announcer.announce(transaction, event, revision)

    def _tell_removal(
        self, transaction: Transaction, decision: Decision, reason: str, now: datetime
    ) -> None:
        event = Event(
            at=now,
            kind="decisionRemoved",
            reason="DecisionRemoved",
            message=f"{decision.entry.decision} by {decision.person}: {reason}",
            environment=decision.environment,
            revision=decision.revision,
            step=decision.step or "",
        )
        self.announcer.announce(transaction, event)


def ended_by(revision: Revision, decision: Decision, now: datetime) -> Revision:
    """Return a revision as a rejection or an abortion ends it before its run began."""
    is_reject = decision.entry.decision is Verb.REJECT
    comment = f": {decision.entry.comment}" if decision.entry.comment else ""
    word = "rejected" if is_reject else "aborted"
    return replace(
        revision,
        phase=Phase.ABORTED,
        reason=Reason.REJECTED if is_reject else Reason.ABORTED,
        message=f"{word} by {decision.person}{comment}",
        ended=now,
        barred=revision.barred or is_reject,
    )


def written_targets(revision: Revision | None) -> list[TargetName]:
    """Return the targets that a revision's workflow writes to."""
    if revision is None or revision.workflow is None:
        return []
    return [t for step, _ in revision.workflow.walk() for t in step.targets]
