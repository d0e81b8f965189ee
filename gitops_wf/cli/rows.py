"""Views as rows of tables: what stands in each column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gitops_wf.cli.ages import age, human
from gitops_wf.cli.table import Table
from gitops_wf.core.identifiers import environment_name, repository_name

if TYPE_CHECKING:  # they load the engine, and every command loads this
    from gitops_wf.core.revision import Revision
    from gitops_wf.core.run import Run, StepRun
    from gitops_wf.services.approvals import Waiting
    from gitops_wf.services.views import (
        DecisionView,
        EnvironmentView,
        EventView,
        HistoryView,
        InventoryView,
        RepositoryView,
        RevisionView,
        RunView,
        TargetView,
    )

_REPEATED = re.compile(r"^\S+#\d+ \S+@sha1:[0-9a-f]{8} ")
"""How a message about a revision begins; beside the OBJECT it says nothing."""

_READY = {True: "True", False: "False", None: "Unknown"}


def status(phase: str, reason: str) -> str:
    """Return ``Failed/HealthCheckFailed``, or the phase alone."""
    return f"{phase}/{reason}" if reason and reason != phase else phase


def waiting_text(waiting: Sequence[Waiting]) -> str:
    """Return which steps wait, how many approvals they have, and who is missing."""
    return "; ".join(_waiting(each) for each in waiting)


def missing(waiting: Waiting) -> str:
    """Return who could still approve: names, or that any author may."""
    if waiting.approvers is None:
        return "any author"
    given = {person.casefold() for person in waiting.approvals}
    left = [name for name in waiting.approvers if name.casefold() not in given]
    if not left:
        return "nobody is left who may"
    if len(left) == waiting.needed - len(waiting.approvals):
        return " and ".join(left)
    return " or ".join(left)


def person_name(author: str) -> str:
    """Return the name of ``Ann <ann@example.com>``, or the address alone."""
    name, _, address = author.partition("<")
    return name.strip() or address.rstrip(">")


def environments(views: Sequence[EnvironmentView], now: datetime) -> Table:
    """Return environments with their released and newest revisions."""
    several = len({view.record.repository for view in views}) > 1
    rows = []
    for view in views:
        record, newest = view.record, view.newest
        revision = newest.revision if newest else None
        rows.append(
            (
                record.name,
                repository_name(record.id) if several else "",
                _short(view.released),
                _short(revision),
                _READY[view.is_ready],
                _environment_status(view),
                age(revision.created, now) if revision else "",
                environment_message(view),
            )
        )
    return Table(
        headers=(
            *("NAME", "REPOSITORY", "RELEASED", "NEWEST"),
            *("READY", "STATUS", "AGE", "MESSAGE"),
        ),
        rows=rows,
        optional=frozenset() if several else frozenset({"REPOSITORY"}),
    )


def environment_message(view: EnvironmentView) -> str:
    """Return the one thing that a person should know about an environment."""
    conditions = [f"{kind}: {text}" for kind, text in view.record.conditions.items()]
    if conditions:
        return "; ".join(conditions)
    if view.paused:
        return view.paused
    if view.frozen:
        return view.frozen
    remarkable = [
        *(f"target {each.name} does not answer: {each.error}" for each in view.away),
        *(text for each in view.upkeep for text in each.texts),
    ]
    if remarkable and not (view.current and view.current.waiting):
        return "; ".join(remarkable)
    if view.current is None:
        return "no revision yet"
    if view.current.waiting:
        return f"waits for {waiting_text(view.current.waiting)}"
    return view.current.revision.message


def revisions(views: Sequence[RevisionView], now: datetime) -> Table:
    """Return revisions with what they wait for."""
    return Table(
        headers=(
            *("NAME", "COMMIT", "STATUS", "WAITING", "AUTHOR", "SOURCE"),
            *("AGE", "SUBJECT"),
        ),
        rows=[
            (
                _name(view.revision),
                view.revision.commit[:8],
                revision_status(view.revision),
                waiting_text(view.waiting),
                person_name(view.revision.author),
                view.revision.source,
                age(view.revision.created, now),
                revision_subject(view.revision),
            )
            for view in views
        ],
        optional=frozenset({"WAITING", "SOURCE"}),
    )


def revision_status(revision: Revision) -> str:
    """Return a revision's phase and reason, and whether it is the released one."""
    text = status(revision.phase, revision.reason)
    return f"{text}, released" if revision.released else text


def revision_subject(revision: Revision) -> str:
    """Return the commit's first line, after what the content says of it."""
    back = f"(back to #{revision.rollback_of}) " if revision.is_rollback else ""
    return back + revision.subject


def history(views: Sequence[HistoryView], now: datetime) -> Table:
    """Return what was deployed, by whom, who approved it and how it ended."""
    return Table(
        headers=("NAME", "COMMIT", "STATUS", "ENDED", "AUTHOR", "APPROVED BY", "WHAT"),
        rows=[
            (
                _name(view.revision),
                view.revision.commit[:8],
                revision_status(view.revision),
                age(view.revision.ended, now),
                person_name(view.revision.author),
                ", ".join(view.approved_by),
                _what(view.revision),
            )
            for view in views
        ],
    )


def runs(views: Sequence[RunView], now: datetime) -> Table:
    """Return runs with how far they are."""
    return Table(
        headers=("NAME", "COMMIT", "STATUS", "STEPS", "STEP", "AGE", "TOOK", "MESSAGE"),
        rows=[_run_row(view.run, now) for view in views],
        optional=frozenset({"STEP"}),
    )


def steps(run: Run, now: datetime) -> Table:
    """Return the steps of a run; sub-steps stand indented below theirs."""
    return Table(
        headers=("STEP", "TYPE", "STATUS", "TRIES", "TOOK", "MESSAGE"),
        rows=[
            (
                f"· {step.name}" if step.parent else step.name,
                step.type,
                status(step.phase, step.reason),
                str(step.attempt) if step.attempt else "",
                _took(step.started, step.ended, now),
                _step_message(step),
            )
            for step in run.steps
        ],
    )


def step_objects(step: StepRun) -> Table:
    """Return what a step changed, left alone, or waits for."""
    return Table(
        headers=("OBJECT", "CHANGE", "HEALTH", "MESSAGE"),
        rows=[
            (each.object, each.change, each.health, each.message)
            for each in step.objects
        ],
    )


def digests(run: Run) -> Table:
    """Return what each step of a run delivered, as an approval may pin it."""
    return Table(
        headers=("STEP", "DIGEST"),
        rows=[(step.name, step.digest) for step in run.steps if step.digest],
    )


def decisions(views: Sequence[DecisionView], now: datetime) -> Table:
    """Return decisions with what came of them."""
    rows = []
    for view in views:
        decision = view.decision
        number = decision.revision
        name = environment_name(decision.environment)
        rows.append(
            (
                f"{name}#{number}" if number else f"{name}@{view.revision[:8]}",
                str(decision.entry.decision),
                decision.step or decision.entry.step or "",
                decision.person,
                str(decision.evidence),
                decision.commit[:8],
                str(decision.effect),
                age(decision.at, now),
                decision.reason or decision.entry.comment,
            )
        )
    return Table(
        headers=(
            *("REVISION", "DECISION", "STEP", "BY", "EVIDENCE", "COMMIT"),
            *("EFFECT", "AGE", "REASON"),
        ),
        rows=rows,
    )


def targets(views: Sequence[TargetView], now: datetime) -> Table:
    """Return targets, whether they answer, and their gates."""
    return Table(
        headers=(
            *("NAME", "KIND", "WHERE", "NAMESPACE", "READY", "ANSWERED", "COMPARED"),
            *("GATE", "ENVIRONMENTS", "MESSAGE"),
        ),
        rows=[
            (
                view.target.name,
                str(view.target.kind),
                view.target.context or view.target.path,
                view.target.namespace,
                _READY[view.is_ready],
                _ago(view.record.answered, now),
                _ago(view.record.compared, now),
                _gate(view),
                ", ".join(environment_name(e) for e in view.environments),
                _target_message(view, now),
            )
            for view in views
        ],
        optional=frozenset({"WHERE", "ANSWERED", "COMPARED", "MESSAGE"}),
    )


def inventory(views: Sequence[InventoryView]) -> Table:
    """Return the objects that environments own."""
    return Table(
        headers=("ENVIRONMENT", "TARGET", "OBJECT", "VERSION", "STEP"),
        rows=[
            (
                environment_name(view.environment),
                view.target,
                str(entry.ref),
                f"{entry.ref.group}/{entry.version}"
                if entry.ref.group
                else entry.version,
                entry.step,
            )
            for view in views
            for entry in sorted(view.inventory.entries, key=lambda entry: entry.ref)
        ],
    )


def repositories(views: Sequence[RepositoryView], now: datetime) -> Table:
    """Return repositories with how polling goes."""
    return Table(
        headers=(
            *("NAME", "URL", "REVISION", "ENVIRONMENTS", "READY"),
            *("FAILURES", "POLLED", "MESSAGE"),
        ),
        rows=[
            (
                view.record.name,
                view.url,
                _branch_at(view.record.branch, view.record.cursor),
                str(view.environments),
                _READY[view.is_ready],
                str(view.record.failures or ""),
                age(view.record.polled, now),
                view.record.condition,
            )
            for view in views
        ],
        optional=frozenset({"FAILURES", "POLLED", "MESSAGE"}),
    )


def events(views: Sequence[EventView], now: datetime) -> Table:
    """Return events, oldest first, as ``flux events`` does."""
    return Table(
        headers=("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"),
        rows=[
            (
                age(view.event.at, now),
                str(view.event.type),
                view.event.reason,
                _object(view),
                _REPEATED.sub("", view.event.message),
            )
            for view in views
        ],
    )


def _environment_status(view: EnvironmentView) -> str:
    if view.record.is_removed:
        return "Removed"
    if view.current is None:
        return ""
    text = status(view.current.revision.phase, view.current.revision.reason)
    marks = [
        *(["degraded"] if view.is_degraded else []),
        *(["drifted"] if view.is_drifted else []),
        *(["unreachable"] if view.away else []),
    ]
    return ", ".join([text, *marks])


def _waiting(waiting: Waiting) -> str:
    gate = f" (gate {waiting.gate})" if waiting.gate else ""
    count = f"{len(waiting.approvals)}/{waiting.needed}"
    return f"{waiting.step}{gate} {count}: {missing(waiting)}"


def _short(revision: Revision | None) -> str:
    return f"#{revision.number} {revision.commit[:8]}" if revision else "-"


def _name(revision: Revision) -> str:
    return f"{environment_name(revision.environment)}#{revision.number}"


def _branch_at(branch: str, commit: str | None) -> str:
    return f"{branch}@sha1:{commit[:8]}" if commit else branch


def _took(started: datetime | None, ended: datetime | None, now: datetime) -> str:
    return human((ended or now) - started) if started else ""


def _what(revision: Revision) -> str:
    subject = revision_subject(revision)
    if revision.phase.is_bad and revision.message:
        return f"{subject}: {revision.message}"
    return subject


def _run_row(run: Run, now: datetime) -> tuple[str, ...]:
    top = [step for step in run.steps if step.parent is None]
    done = sum(step.phase.is_final for step in top)
    current = [step.name for step in top if step.phase.value in _MOVING]
    subject = run.subject
    return (
        f"{environment_name(subject.environment)}#{subject.number}.{run.ordinal}",
        subject.commit[:8],
        status(run.phase, run.reason),
        f"{done}/{len(top)}",
        ", ".join(current),
        age(run.created, now),
        _took(run.started, run.ended, now),
        run.message,
    )


_MOVING = {"Running", "Suspended"}


def _step_message(step: StepRun) -> str:
    by = f"approved by {', '.join(step.released)}" if step.released else ""
    if by and by not in step.message:
        return f"{step.message} ({by})" if step.message else by
    return step.message


def _ago(at: datetime | None, now: datetime) -> str:
    return f"{age(at, now)} ago" if at else ""


def _target_message(view: TargetView, now: datetime) -> str:
    record = view.record
    if record.away is None:
        return ""
    return f"has not answered for {age(record.away, now)}: {record.error}"


def _gate(view: TargetView) -> str:
    if view.gate is None:
        return ""
    policy = view.gate.policy
    who = "any author" if policy.approvers is None else ", ".join(policy.approvers)
    return f"{policy.min_approvals} of {who}"


def _object(view: EventView) -> str:
    event = view.event
    if event.environment is None:
        return event.repository or str(event.metadata.get("target") or "")
    number = f"#{event.revision}" if event.revision else ""
    return f"{environment_name(event.environment)}{number}"
