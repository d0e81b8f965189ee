"""Moving an environment on: which revision runs, what its run does next.

Everything here happens in the caller's transaction, which holds the environment's
row. It is called after each event (a commit, a decision, a report, a due time) and
leaves nothing undone that could be done now.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gitops_wf.core.decision import Decision
from gitops_wf.core.engine import (
    Asked,
    EndRequested,
    Reminded,
    advance,
    new_run,
    next_due,
    record,
)
from gitops_wf.core.errors import cut
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import (
    EnvironmentId,
    RunId,
    repository_name,
)
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.queue import Queue, Queued, arrange
from gitops_wf.core.reminding import NEVER, Reminders
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run
from gitops_wf.ports.executor import AttemptWork, Executor
from gitops_wf.ports.store import Reader, Transaction
from gitops_wf.services.announce import Announcer
from gitops_wf.services.approvals import Approvals, Waiting
from gitops_wf.services.brake import let_go
from gitops_wf.services.departures import plan
from gitops_wf.services.holding import hold_of
from gitops_wf.services.revisions import (
    end_without_run,
    follow,
    judged_event,
    run_events,
    subject_of,
    title,
)

_MOST_ROUNDS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Moves environments on."""

    executor: Executor
    announcer: Announcer
    approvals: Approvals
    reminders: Reminders = NEVER

    def environment(
        self, transaction: Transaction, environment: EnvironmentId, now: datetime
    ) -> None:
        """Do all that can be done now for an environment whose row is held."""
        for _ in range(_MOST_ROUNDS):
            if not self._round(transaction, environment, now):
                return
        raise AssertionError(f"{environment} does not settle")

    def run(
        self, transaction: Transaction, before: Run, after: Run, now: datetime
    ) -> None:
        """Store a run after an event and do all that follows."""
        settled = self._settled(transaction, after, now)
        ended = self._overtaken(transaction, settled.run, now)
        if ended is not None:
            asked, acted = settled.asked, settled.acted
            settled = self._settled(transaction, ended, now)
            settled = replace(
                settled, asked=(*asked, *settled.asked), acted=(*acted, *settled.acted)
            )
        self._store(transaction, before, settled, now)
        self.environment(transaction, after.subject.environment, now)

    def start(
        self, transaction: Transaction, revision: Revision, now: datetime
    ) -> None:
        """Begin a new run of a revision; a retry keeps what succeeded in the last."""
        planned = plan(transaction, revision, now)
        earlier = transaction.runs(
            revision.environment, number=revision.number, limit=1
        )
        last = earlier[0] if earlier else None
        ordinal = (last.ordinal if last else revision.earlier_runs) + 1
        run = new_run(
            run=RunId(f"{revision.environment}#{revision.number}.{ordinal}"),
            ordinal=ordinal,
            subject=subject_of(revision),
            workflow=planned.workflow,
            now=now,
            kept=last if revision.keeps else None,
        )
        begun = replace(
            revision,
            phase=Phase.RUNNING,
            reason="",
            message="",
            ended=None,
            keeps=False,
        )
        transaction.save_revision(begun)
        self.announcer.announce(
            transaction,
            Event(
                at=now,
                kind="started",
                reason="Started",
                message=f"{title(revision)} runs",
                environment=revision.environment,
                revision=revision.number,
                run=run.id,
            ),
            begun,
        )
        for event in planned.events:
            self.announcer.announce(transaction, event, begun)
        self._store(transaction, None, self._settled(transaction, run, now), now)

    def end(
        self,
        transaction: Transaction,
        run: Run,
        *,
        reason: str,
        message: str,
        now: datetime,
    ) -> None:
        """Ask a run to end at its next safe point, and do what follows."""
        event = EndRequested(
            phase=Phase.ABORTED, reason=reason, message=message, at=now
        )
        ending = record(run, event)
        self._store(transaction, run, self._settled(transaction, ending, now), now)

    def _round(
        self, transaction: Transaction, environment: EnvironmentId, now: datetime
    ) -> bool:
        """Do one thing; say whether there may be more."""
        active = transaction.active_run(environment)
        if active is not None:
            settled = self._settled(transaction, active, now)
            if settled.run != active:
                self._store(transaction, active, settled, now)
                return True
        line = transaction.line(environment)
        if not line:
            transaction.set_due(environment, self._due(active) if active else None)
            return False
        newest = _in_line(transaction, environment, line[-1].number)
        queue = _queue(line, newest, active)
        for number, newer in queue.superseded:
            self._supersede(
                transaction,
                _in_line(transaction, environment, number),
                _in_line(transaction, environment, newer),
                now,
            )
        if active is not None:
            ended = self._overtaken(transaction, active, now)
            if ended is not None:
                settled = self._settled(transaction, ended, now)
                self._store(transaction, active, settled, now)
                return True
            transaction.set_due(environment, self._due(active))
            return False
        if queue.next is None:
            transaction.set_due(environment, None)
            return False
        following = _in_line(transaction, environment, queue.next.number)
        return self._start_next(transaction, following, newest, now)

    def _overtaken(
        self, transaction: Transaction, run: Run, now: datetime
    ) -> Run | None:
        """Return a run that must end for a newer revision; None where it goes on.

        It is asked before what the run has come to is told: one that reaches its
        approval while a newer revision is pending asks nobody.
        """
        if run.phase.is_final or run.ending is not None:
            return None
        environment = run.subject.environment
        line = transaction.line(environment)
        if not line:
            return None
        newest = _in_line(transaction, environment, line[-1].number)
        queue = _queue(line, newest, run)
        if queue.end_active_for is None:
            return None
        newer = _in_line(transaction, environment, queue.end_active_for)
        event = EndRequested(
            phase=Phase.ABORTED,
            reason=Reason.SUPERSEDED,
            message=f"superseded by {title(newer)}",
            at=now,
        )
        return record(run, event)

    def _start_next(
        self,
        transaction: Transaction,
        revision: Revision,
        newest: Revision,
        now: datetime,
    ) -> bool:
        hold = hold_of(transaction, revision, newest, now)
        if hold is None:
            self.start(transaction, revision, now)
            return True
        if hold.is_dead_end and newest.number > revision.number:
            self._supersede(transaction, revision, newest, now)
            return True
        if (revision.reason, revision.message) != (hold.reason, hold.message):
            transaction.save_revision(
                replace(revision, reason=hold.reason, message=hold.message)
            )
        transaction.set_due(revision.environment, hold.until)
        return False

    def _supersede(
        self,
        transaction: Transaction,
        revision: Revision,
        newer: Revision,
        now: datetime,
    ) -> None:
        event = end_without_run(
            transaction,
            revision,
            phase=Phase.ABORTED,
            reason=Reason.SUPERSEDED,
            message=f"superseded by {title(newer)} before it began",
            now=now,
        )
        self.announcer.announce(transaction, event, revision)

    def _settled(self, transaction: Transaction, run: Run, now: datetime) -> "_Settled":
        """Let time and approvals act until neither changes anything."""
        asked: list[Asked] = []
        acted: list[Decision] = []
        while True:
            run, more = advance(run, now)
            asked.extend(more)
            if run.phase.is_final or run.ending is not None:
                break
            resumed = let_go(transaction, run, now)
            if resumed is not None:
                run = record(run, resumed)
                continue
            release = self.approvals.thaw(transaction, run, now)
            if release is None:
                release = self.approvals.release(transaction, run, now)
            if release is None:
                reminder = self.reminders.next(run)
                if reminder is None or reminder.at > now:
                    break
                run = record(run, Reminded(step=reminder.step, at=now))
                continue
            event, decisions = release
            run = record(run, event)
            acted.extend(decisions)
        return _Settled(run=run, asked=tuple(asked), acted=tuple(acted))

    def _store(
        self,
        transaction: Transaction,
        before: Run | None,
        settled: "_Settled",
        now: datetime,
    ) -> None:
        run = replace(settled.run, seq=settled.run.seq + 1)
        transaction.save_run(run)
        for decision in settled.acted:
            transaction.save_decision(replace(decision, acted=True))
        for asked in settled.asked:
            step = run.step(asked.step)
            asked_for = (step.attempt, step.look)
            if not step.is_asked or asked_for != (asked.attempt, asked.look):
                continue  # an approval or the run's end came in between
            work = AttemptWork(
                environment=run.subject.environment,
                run=run.id,
                step=asked.step,
                attempt=asked.attempt,
                look=asked.look,
                target=step.target,
                delay=max(asked.due - now, timedelta()),
            )
            self.executor.enqueue(transaction, work)
        revision = transaction.revision(run.subject.environment, run.subject.number)
        assert revision is not None
        revision = follow(transaction, revision, run)
        for event in run_events(before, run, revision, now):
            told = event
            if event.kind in {"suspended", "reminder"}:
                needs = self._needs(transaction, run, event.step)
                told = replace(event, metadata={**event.metadata, "needs": needs})
            self.announcer.announce(transaction, told, revision)
        for decision in self.approvals.mispinned(transaction, run):
            transaction.save_decision(decision)
            event = judged_event(decision, revision, now)
            self.announcer.announce(transaction, event, revision)
        if run.phase.is_final:
            self._wake_followers(transaction, run, now)

    def _due(self, run: Run) -> datetime | None:
        """Return when time alone does something for a run that is under way."""
        reminder = self.reminders.next(run)
        moments = [next_due(run), reminder.at if reminder else None]
        return min((moment for moment in moments if moment is not None), default=None)

    def _needs(self, reader: Reader, run: Run, step: str) -> str:
        """Return whose approvals a waiting step lacks, for those who are told."""
        return "; ".join(
            _lacking(each)
            for each in self.approvals.waiting(reader, run)
            if each.step == step
        )

    def _wake_followers(
        self, transaction: Transaction, run: Run, now: datetime
    ) -> None:
        """Make environments that wait for this one look again at once."""
        ended = run.subject.environment
        for record_ in transaction.followers(repository_name(ended)):
            definition = record_.definition
            after = definition.after if definition else ()
            if any(each.seen_from(record_.repository) == ended for each in after):
                transaction.set_due(record_.id, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    """A run that time and approvals leave alone, and what is to be done for it."""

    run: Run
    asked: tuple[Asked, ...]
    acted: tuple[Decision, ...]


def _lacking(waiting: Waiting) -> str:
    """Return what a requirement has and needs, and who may give it."""
    count = waiting.needed
    needs = "needs an approval" if count == 1 else f"needs {count} approvals"
    at = f"{waiting.gate}: " if waiting.gate else ""
    has = f", has {', '.join(waiting.approvals)}" if waiting.approvals else ""
    may = "anybody" if waiting.approvers is None else ", ".join(waiting.approvers)
    return cut(f"{at}{needs}{has}; may approve: {may or 'nobody'}")


def _in_line(reader: Reader, environment: EnvironmentId, number: int) -> Revision:
    """Return a revision that has not ended; it is there, for its row is held."""
    revision = reader.revision(environment, number)
    assert revision is not None
    return revision


def _queue(line: Sequence[Queued], newest: Revision, active: Run | None) -> Queue:
    """Arrange the revisions that have not ended, by the newest's policy."""
    definition = newest.environment_definition
    # What could not be read has ended Failed, so whatever waits has its definition.
    assert definition is not None
    return arrange(
        commits=definition.commits,
        max_pending=definition.max_pending,
        unfinished=line,
        active=active,
    )
