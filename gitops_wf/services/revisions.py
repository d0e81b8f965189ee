"""How a revision ends, and what is told of it: one place for both."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from gitops_wf.core.decision import Decision, Effect
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import environment_name
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun, Subject
from gitops_wf.ports.store import Transaction
from gitops_wf.services.approvals import is_frozen

_KINDS = {
    Phase.SUCCEEDED: "succeeded",
    Phase.FAILED: "failed",
    Phase.ERRORED: "errored",
    Phase.ABORTED: "aborted",
}


_WRONG = frozenset({Phase.FAILED, Phase.ERRORED})


def title(revision: Revision) -> str:
    """Return how a revision prints: ``prod#12 main@sha1:4f1c2d9e``."""
    name = environment_name(revision.environment)
    return f"{name}#{revision.number} {revision.branch}@sha1:{revision.commit[:8]}"


def judged_event(decision: Decision, revision: Revision | None, now: datetime) -> Event:
    """Return what is told of a decision's verdict."""
    entry = decision.entry
    is_bad = decision.effect is Effect.REFUSED
    subject = title(revision) if revision else f"revision {entry.revision[:12]}"
    name = decision.step or entry.step
    step = f" of {name}" if name else ""
    why = f": {decision.reason}" if decision.reason else ""
    return Event(
        at=now,
        kind="decisionRefused" if is_bad else "decided",
        reason="DecisionRefused" if is_bad else "Decided",
        message=(
            f"{entry.decision}{step} by {decision.person} ({decision.evidence})"
            f" {decision.effect} for {subject}{why}"
        ),
        type=EventType.WARNING if is_bad else EventType.NORMAL,
        environment=decision.environment,
        revision=decision.revision,
        step=name or "",
        metadata={"edge": str(decision.id)},
    )


def subject_of(revision: Revision) -> Subject:
    """Return what a run of the revision is about."""
    definition = revision.environment_definition
    return Subject(
        environment=revision.environment,
        number=revision.number,
        commit=revision.commit,
        inputs=revision.inputs,
        rollback=revision.is_rollback,
        changed=revision.changed,
        source=revision.source,
        branch=revision.branch,
        author=revision.author,
        subject=revision.subject,
        application=definition.application if definition else "",
        targets=definition.targets if definition else (),
    )


def follow(transaction: Transaction, revision: Revision, run: Run) -> Revision:
    """Give the revision its run's phase; a succeeded one becomes the released."""
    followed = replace(
        revision,
        phase=run.phase,
        reason=run.reason,
        message=run.message,
        ended=run.ended,
        barred=revision.barred or run.reason == Reason.REJECTED,
    )
    if run.phase is Phase.SUCCEEDED:
        other = transaction.released(revision.environment)
        if other is not None and other.number != revision.number:
            transaction.save_revision(replace(other, released=False))
        followed = replace(followed, released=True)
    if followed != revision:
        transaction.save_revision(followed)
    return followed


def end_without_run(
    transaction: Transaction,
    revision: Revision,
    *,
    phase: Phase,
    reason: str,
    message: str,
    now: datetime,
) -> Event:
    """End a revision that never ran; return the event that tells it."""
    ended = replace(revision, phase=phase, reason=reason, message=message, ended=now)
    transaction.save_revision(ended)
    return ended_event(ended, now)


def created_event(revision: Revision, now: datetime) -> Event:
    """Return the event of a new revision."""
    back = f" (back to #{revision.rollback_of})" if revision.is_rollback else ""
    return Event(
        at=now,
        kind="created",
        reason="Created",
        message=f"{title(revision)} {revision.subject}{back}",
        type=EventType.NORMAL,
        environment=revision.environment,
        revision=revision.number,
    )


def ended_event(revision: Revision, now: datetime, run: str = "") -> Event:
    """Return the event of a revision's end."""
    kind = _KINDS[revision.phase]
    if revision.reason == Reason.SUPERSEDED:
        kind = "superseded"
    elif revision.reason == Reason.REJECTED:
        kind = "rejected"
    elif revision.phase is Phase.SUCCEEDED and revision.is_rollback:
        kind = "rolledBack"
    bad = revision.phase in _WRONG
    text = f": {revision.message}" if revision.message else ""
    return Event(
        at=now,
        kind=kind,
        reason=revision.reason or revision.phase.value,
        message=f"{title(revision)} {revision.phase}{text}",
        type=EventType.WARNING if bad else EventType.NORMAL,
        environment=revision.environment,
        revision=revision.number,
        run=run,
    )


def run_events(
    before: Run | None, after: Run, revision: Revision, now: datetime
) -> Iterator[Event]:
    """Yield what is worth telling between two states of a run, in order."""
    known = {step.name: step for step in before.steps} if before else {}
    for step in after.steps:
        old = known.get(step.name)
        was_waiting = old is not None and old.is_waiting_for_approval
        if step.is_waiting_for_approval and not was_waiting:
            yield _step_event(step, after, revision, now, kind="suspended")
        elif step.is_waiting_for_approval and _is_reminded(step, old):
            yield _reminder(step, after, revision, now)
        elif is_frozen(step) and not (old is not None and is_frozen(old)):
            yield _step_event(step, after, revision, now, kind="frozen")
        elif was_waiting and step.released:
            yield _step_event(step, after, revision, now, kind="approved")
        elif step.phase in _WRONG and not (old and old.phase.is_final):
            yield _step_event(step, after, revision, now, kind="stepFailed")
    if after.phase.is_final:
        yield ended_event(revision, now, after.id)


def _is_reminded(step: StepRun, old: StepRun | None) -> bool:
    return old is not None and step.reminders > old.reminders


def _reminder(step: StepRun, run: Run, revision: Revision, now: datetime) -> Event:
    """Return the event of a wait that is told again; each is one of its own."""
    event = _step_event(step, run, revision, now, kind="reminder")
    since = f"since {step.started:%Y-%m-%d %H:%M} UTC" if step.started else ""
    text = f": {step.message}" if step.message else ""
    return replace(
        event,
        reason="Reminder",
        message=f"{title(revision)} {step.name} waits {since}{text}",
        metadata={"edge": str(step.reminders)},
    )


def _step_event(
    step: StepRun, run: Run, revision: Revision, now: datetime, *, kind: str
) -> Event:
    text = f": {step.message}" if step.message else ""
    return Event(
        at=now,
        kind=kind,
        reason=step.reason or kind[0].upper() + kind[1:],
        message=f"{title(revision)} {step.name} {step.phase}{text}",
        type=EventType.WARNING if step.phase.is_bad else EventType.NORMAL,
        environment=revision.environment,
        revision=revision.number,
        run=run.id,
        step=step.name,
    )
