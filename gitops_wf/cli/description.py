"""What `describe` prints: one page that a person can act on at three in the morning."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console
from rich.text import Text

from gitops_wf.cli import rows
from gitops_wf.cli.ages import age
from gitops_wf.cli.colours import style_of
from gitops_wf.cli.table import Table, console, one_line, print_table
from gitops_wf.core.durations import format_duration
from gitops_wf.core.environment import Commits
from gitops_wf.core.freeze import frozen
from gitops_wf.core.policy import Freeze, Gate, Identity, Policy
from gitops_wf.core.revision import Revision
from gitops_wf.services.description import (
    Description,
    approve_command,
    approve_entry,
)

_LABEL = 14


def print_description(told: Description, now: datetime) -> None:
    """Print everything about an environment, the most urgent first."""
    out = console()
    for pair in head(told, now):
        for line in folded(pair, out):
            out.print(line)
    for line in (*to_approve(told, now), *to_mend(told)):
        out.print(line)
    for title, table in tables(told, now):
        out.print(Text(f"\n{title}:", style="bold"))
        if table.rows:
            print_table(table, indent="  ")
        else:
            out.print("  none")


def folded(pair: Text, out: Console) -> Iterator[Text]:
    """Yield a pair as lines that fit the terminal; its value stays in its column."""
    if not out.is_terminal or pair.cell_len <= out.width:
        yield pair
        return
    label, value = pair[:_LABEL], pair[_LABEL:]
    for line in value.wrap(out, max(out.width - _LABEL, _LABEL)):
        line.rstrip()
        yield label + line
        label = Text(" " * _LABEL)


def head(told: Description, now: datetime) -> Iterator[Text]:
    """Yield the block of names and values."""
    view = told.environment
    record, definition = view.record, view.record.definition
    source = told.repository
    yield _pair("Environment", record.name)
    yield _pair("Repository", f"{record.repository}  {source.url}")
    yield _pair("Branch", f"{source.record.branch} {_cursor(told)}".strip())
    if source.record.condition:
        yield _pair("", source.record.condition, "red")
    yield _pair("Folder", record.folder or "(the repository's root)")
    if record.is_removed:
        yield _pair("", "the folder is gone; its objects stay on their targets", "red")
    if definition is not None:
        if definition.application:
            yield _pair("Application", definition.application)
        if definition.targets:
            yield _pair("Targets", ", ".join(definition.targets))
        if definition.commits is not Commits.EVERY:
            yield _pair("Commits", str(definition.commits))
        for after in definition.after:
            soak = f", {format_duration(after.soak)} ago" if after.soak else ""
            yield _pair("After", f"{after.title} has succeeded{soak}")
    if view.paused:
        yield _pair("Paused", view.paused, "yellow")
    ready = {True: "True", False: "False", None: "Unknown"}[view.is_ready]
    yield _pair("Ready", ready)
    for kind, text in record.conditions.items():
        yield _pair("Condition", f"{kind}: {text}", "red")
    yield _pair("Released", _revision(view.released, now))
    yield from _upkeep(told, now)
    if told.revision is not None:
        yield from _described(told.revision.revision, now)
    yield from policy(told.policy)
    for gate in told.gates:
        yield from _gate(gate)
    for freeze in told.freezes:
        yield from _freeze(freeze, now)


def policy(rule: Policy) -> Iterator[Text]:
    """Yield who may approve, and plainly how little that may prove."""
    yield _pair("Approval", demand(rule))
    if rule.approvers is None:
        yield _pair("", "no policy names approvers: any author may approve", "yellow")
    if rule.identity is Identity.AUTHOR:
        yield _pair(
            "",
            "who approved is only claimed by the commit's author line: nothing"
            " verifies it",
            "yellow",
        )


def to_approve(told: Description, now: datetime) -> Iterator[Text]:
    """Yield what is waited for, and exactly what to type or write."""
    if told.revision is None:
        return
    revision = told.revision.revision
    for waiting in told.waiting:
        step = told.run.run.step(waiting.step) if told.run else None
        yield Text()
        gate = f" at the gate of {waiting.gate}" if waiting.gate else ""
        count = f"{len(waiting.approvals)} of {waiting.needed}"
        since = f", for {age(step.started, now)}" if step else ""
        yield Text(
            f"{waiting.step} waits for approval{gate}: {count}{since}", "bold yellow"
        )
        if step is not None and step.message not in {"", "waits for approval"}:
            yield Text(f"  {one_line(step.message)}")
        if waiting.approvals:
            yield Text("  " + one_line(f"approved by {', '.join(waiting.approvals)}"))
        left = max(waiting.needed - len(waiting.approvals), 0)
        yield Text(f"  still needed: {left}, from {rows.missing(waiting)}")
        if step is not None and step.deadline is not None:
            yield Text(f"  without it the step ends in {age(now, step.deadline)}")
        yield Text("  To approve:")
        yield Text(f"    {approve_command(revision, waiting)}", "bold")
        yield Text(f"  or push this line to {told.approvals_path}, under approvals:")
        yield Text(f"    {approve_entry(revision, waiting)}", "bold")


def to_mend(told: Description) -> Iterator[Text]:
    """Yield what can be done about a newest revision that did not succeed."""
    view = told.environment
    newest = view.newest.revision if view.newest else None
    described = told.revision.revision if told.revision else None
    if newest is None or described != newest or not newest.phase.is_bad:
        return
    name = view.record.name
    yield Text("\nTo go on:", "bold yellow")
    if newest.workflow is not None and not newest.barred:
        yield Text(f"  try it again:  gitops-wf retry {name} --push")
    if view.released is not None:
        yield Text(
            f"  go back to #{view.released.number}: gitops-wf rollback {name} --push"
        )
    yield Text("  or push a commit that mends it")


def tables(told: Description, now: datetime) -> Iterator[tuple[str, Table]]:
    """Yield the titled tables."""
    if told.run is not None:
        run = told.run.run
        name = f"{run.subject.number}.{run.ordinal}"
        state = rows.status(run.phase, run.reason)
        yield f"Run #{name} {state}", rows.steps(run, now)
        for step in run.steps:
            if step.objects:
                yield f"Objects that {step.name} changed", rows.step_objects(step)
        if any(step.digest for step in run.steps):
            yield "Delivered", rows.digests(run)
    yield "Revisions", rows.revisions(told.revisions, now)
    yield "Decisions", rows.decisions(told.decisions, now)
    if told.inventories:
        yield "Objects", rows.inventory(told.inventories)
    yield "Events", rows.events(told.events, now)


def _described(revision: Revision, now: datetime) -> Iterator[Text]:
    yield _pair("Revision", _revision(revision, now))
    yield _pair("Status", rows.status(revision.phase, revision.reason))
    for line in revision.message.splitlines():
        yield _pair("", line)
    yield _pair("Commit", revision.commit)
    yield _pair("Author", revision.author)
    if revision.source:
        yield _pair("Source", revision.source)
    if revision.is_rollback:
        yield _pair("Rollback", f"its content is that of #{revision.rollback_of}")
    for sha in revision.reverts:
        yield _pair("", f"its message says that it reverts {sha[:12]}")
    if revision.barred:
        yield _pair("", "rejected: its content is barred from being rolled back to")


def _upkeep(told: Description, now: datetime) -> Iterator[Text]:
    """Yield how the released revision is looked after, and what was found."""
    drift = told.drift
    text = "not compared"
    if drift.interval:
        heals = "self-heals" if drift.self_heal else "reports only"
        text = f"compared every {format_duration(drift.interval)}, {heals}"
    yield _pair("Drift", text)
    for gone in told.environment.away:
        silent = f"{gone.name}: has not answered for {age(gone.away, now)}"
        yield _pair("", f"{silent}: {gone.error}", "red")
    differing = {v.target for v in told.environment.upkeep if v.state.drifted}
    for target, at in told.environment.compared.items():
        what = "differs from Git" if target in differing else "as Git says"
        yield _pair("", f"{target}: last compared {age(at, now)} ago: {what}")
    for view in told.environment.upkeep:
        state = view.state
        for ailing in state.ailing:
            word = "degraded" if state.degraded else "not ready"
            since = age(ailing.since, now)
            yield _pair("", f"{view.target}: {word} for {since}: {ailing}", "red")
        for each in state.drifted:
            since = age(each.since, now)
            yield _pair("", f"{view.target}: for {since}: {each}", "yellow")
        if state.held:
            yield _pair("", f"{view.target}: not healed: {state.held}", "yellow")
        if state.problem:
            yield _pair("", f"{view.target}: {state.problem}", "red")


def _revision(revision: Revision | None, now: datetime) -> str:
    if revision is None:
        return "none yet"
    return (
        f"#{revision.number} {revision.branch}@sha1:{revision.commit[:8]}"
        f" {age(revision.created, now)} ago: {revision.subject}"
    )


def _cursor(told: Description) -> str:
    cursor = told.repository.record.cursor
    return f"@sha1:{cursor[:8]}" if cursor else ""


def demand(rule: Policy) -> str:
    """Return how many approvals a policy asks for, and of whom."""
    who = "any author" if rule.approvers is None else ", ".join(rule.approvers)
    parts = [f"{rule.min_approvals} from {who}"]
    if not rule.allow_author:
        parts.append("not by who wrote it")
    if rule.identity is Identity.SIGNATURE:
        parts.append("by a signed commit")
    return "; ".join(parts)


def _gate(gate: Gate) -> Iterator[Text]:
    waived = " (waived for rollbacks)" if gate.rollback == "waived" else ""
    yield _pair("Gate", f"{gate.target}: {demand(gate.policy)}{waived}")


def _freeze(freeze: Freeze, now: datetime) -> Iterator[Text]:
    passes = "" if freeze.holds_rollbacks else "; rollbacks pass"
    for window in freeze.windows:
        yield _pair("Freeze", f"{window}{passes}")
    found = frozen(freeze.windows, now)
    if found is not None:
        yield _pair("", found.text, "yellow")
    if freeze.override is not None:
        yield _pair("", f"an approval of the step passes: {demand(freeze.override)}")


def _pair(label: str, value: str, style: str = "") -> Text:
    name = f"{label}:" if label else ""
    text = one_line(value)
    return Text.assemble((f"{name:<{_LABEL}}", "dim"), (text, style or style_of(text)))
