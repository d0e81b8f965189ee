"""Judging the decisions of a history again, for a store that has lost them.

They are judged as if they came one by one before the revision began: nothing starts
between them, and nobody is told again. What they come to stands in ``revision``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from gitops_wf.core.decision import Decision, Effect, Entry, EntryKey, Verb
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.policy import Policy, Rulebook
from gitops_wf.core.revision import Revision
from gitops_wf.core.verdict import SHORTEST_SHA, Bench, judge, why_not
from gitops_wf.ports.store import Transaction
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.decide import ended_by, written_targets


@dataclass(slots=True, kw_only=True)
class Replay:
    """A Court over one revision's history.

    ``is_over``: it was released before the loss, so all that was decided has acted.
    ``others`` are the rejections of other revisions that the policy admits.
    """

    revision: Revision
    approvals: Approvals
    rulebook: Rulebook
    is_over: bool
    others: list[Decision] = field(default_factory=list)
    _accepted: list[Decision] = field(default_factory=list)

    def is_meant(self, entry: Entry) -> bool:
        """Whether an entry is of this revision."""
        written = entry.revision.casefold()
        is_long = len(written) >= SHORTEST_SHA
        return is_long and self.revision.commit.startswith(written)

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
        """Judge a decision; store its verdict where it is about the revision."""
        policy = self.approvals.policy(self.revision)
        verb = decision.entry.decision
        if not self.is_meant(decision.entry):
            if verb is Verb.REJECT and not why_not(decision, policy, frozenset()):
                self.others.append(decision)
            return decision
        if verb in {Verb.RETRY, Verb.REDEPLOY}:
            judged = self._again(decision, policy)
        else:
            targets = written_targets(self.revision)
            judged = judge(
                decision,
                Bench(
                    revisions=[self.revision],
                    policy=policy,
                    gates=self.rulebook.gates_for(targets),
                    freezes=self.rulebook.freezes_for(
                        self.revision.environment, targets
                    ),
                    contributors=contributors,
                    hint=hint,
                    is_removed=is_removed,
                    ordinal=self.revision.earlier_runs + 1,
                ),
            )
            if self.is_over and verb is not Verb.APPROVE:
                judged = _refused(judged, "the revision had ended: Succeeded")
        if judged.effect is Effect.ACCEPTED:
            judged = self._act(transaction, judged, now)
        stored = transaction.save_decision(judged)
        if stored.effect is Effect.ACCEPTED and verb is Verb.APPROVE:
            self._accepted.append(stored)
        return stored

    def withdraw(
        self,
        transaction: Transaction,
        environment: EnvironmentId,
        present: Iterable[EntryKey],
        now: datetime,
    ) -> None:
        """Withdraw the approvals that no longer stood in the files."""
        del environment, now  # it is the revision's, and nobody is told
        keys = set(present)
        for decision in list(self._accepted):
            if decision.acted or decision.entry.key in keys:
                continue
            self._accepted.remove(decision)
            transaction.save_decision(
                replace(
                    decision,
                    effect=Effect.WITHDRAWN,
                    reason="its entry was removed before its step was released",
                )
            )

    def _again(self, decision: Decision, policy: Policy) -> Decision:
        """Judge what asked for another run: how the one before ended is not known."""
        entry, revision = decision.entry, self.revision
        decision = replace(decision, revision=revision.number)
        ordinal = revision.earlier_runs + 1
        problem = why_not(decision, policy, frozenset())
        if entry.by and entry.by.casefold() != decision.person.casefold():
            problem = f"it says by {entry.by}, but {decision.person} wrote it"
        elif entry.run is not None and entry.run != ordinal:
            problem = f"run {entry.run} is not the revision's newest run"
        elif revision.barred:
            problem = f"#{revision.number} was rejected and stays barred"
        elif revision.workflow is None:
            problem = f"#{revision.number} has no valid definition: mend it by a commit"
        return _refused(decision, problem) if problem else decision

    def _act(
        self, transaction: Transaction, decision: Decision, now: datetime
    ) -> Decision:
        revision = self.revision
        match decision.entry.decision:
            case Verb.APPROVE:
                return replace(decision, acted=self.is_over)
            case Verb.REJECT | Verb.ABORT:
                self.revision = ended_by(revision, decision, now)
            case verb:
                self.revision = replace(
                    revision,
                    phase=Phase.PENDING,
                    reason="",
                    message="",
                    ended=None,
                    earlier_runs=revision.earlier_runs + 1,
                )
                if verb is Verb.REDEPLOY:
                    # What was approved had acted; a redeployment asks again.
                    self._accepted = [
                        transaction.save_decision(replace(each, acted=True))
                        for each in self._accepted
                    ]
        return replace(decision, acted=True)


def adopted(revision: Revision, at: datetime) -> Revision:
    """Return a revision that its targets prove to have been released at a time."""
    return replace(
        revision,
        phase=Phase.SUCCEEDED,
        reason=Reason.ADOPTED,
        message="its targets' inventories say that it was completed before",
        released=True,
        ended=at,
    )


def _refused(decision: Decision, reason: str) -> Decision:
    return replace(decision, effect=Effect.REFUSED, reason=reason)
