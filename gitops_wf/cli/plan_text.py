"""What `plan` prints: each environment's steps, and what they do to which objects."""

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.text import Text

from gitops_wf.cli.description import demand
from gitops_wf.cli.table import one_line
from gitops_wf.core.changeset import Change
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned, PlannedObject
from gitops_wf.services.plan_views import (
    PlannedCommit,
    PlannedEnvironment,
    PlannedStep,
)

MARKS = {
    Change.CREATED: ("+", "green"),
    Change.CONFIGURED: ("~", "yellow"),
    Change.DELETED: ("-", "red"),
    Change.SKIPPED: ("=", "dim"),
    Change.UNCHANGED: ("=", "dim"),
}


def plan_lines(found: PlannedCommit) -> Iterator[Text]:
    """Yield the whole plan, the sum of it last."""
    yield heading(found)
    yield from notes(found)
    for environment in found.environments:
        yield Text()
        yield from _environment(environment)
    yield Text()
    yield from _sum(found)


def heading(found: PlannedCommit) -> Text:
    """Return what is planned."""
    return Text(one_line(f"{found.repository}: {found.source}"), "bold")


def notes(found: PlannedCommit) -> Iterator[Text]:
    """Yield what should be known of all of it."""
    for note in found.notes:
        yield Text(one_line(note), "yellow")
    for problem in found.problems:
        yield Text(one_line(problem), "red")


def title(environment: PlannedEnvironment) -> Text:
    """Return an environment, its number where it is known, and its folder."""
    number = "" if environment.number is None else f"#{environment.number}"
    what = f"{environment.what}, {environment.folder or 'the root folder'}"
    back = environment.rollback_of
    if back is not None:
        what += f", back to #{back}"
    return Text.assemble(
        (f"{environment.name}{number}", "bold"), f" ({one_line(what)})"
    )


def where(step: PlannedStep) -> str:
    """Return a step, and the target that it is for."""
    return f"{step.name} on {step.target}" if step.target else str(step.name)


def _environment(environment: PlannedEnvironment) -> Iterator[Text]:
    yield title(environment)
    for problem in environment.problems:
        yield Text(f"  {one_line(problem)}", "red")
    if environment.problems:
        yield Text("  InvalidDefinition: nothing runs", "red")
    for text in environment.holds:
        yield Text(f"  before it begins: {one_line(text)}", "yellow")
    for text in environment.notes:
        yield Text(f"  {one_line(text)}", "yellow")
    for step in environment.steps:
        yield from _step(step)


def _step(step: PlannedStep) -> Iterator[Text]:
    is_skipped = step.phase is Phase.SKIPPED
    line = Text(f"  {where(step)}", "dim" if is_skipped else "")
    line.append(f"  {step.type}", "dim")
    if is_skipped:
        line.append(f"  skipped: {one_line(step.message)}", "dim")
    yield line
    if step.condition:
        yield Text(f"    if: {one_line(step.condition)} (the run decides)", "yellow")
    for asked in step.approvals:
        gate = f" at the gate of {asked.gate}" if asked.gate else ""
        text = one_line(f"waits for approval{gate}: {demand(asked.policy)}")
        yield Text(f"    {text}", "yellow")
    if step.frozen is not None:
        yield Text(f"    {one_line(step.frozen.text)}", "yellow")
    if step.planned is not None:
        yield from _objects(step.planned)
    elif not is_skipped and step.message:
        yield Text(f"    {one_line(step.message)}", "dim")


def _objects(planned: Planned) -> Iterator[Text]:
    for effect in planned.effects:
        yield Text(f"    > {one_line(effect)}", "cyan")
    unchanged = 0
    for each in planned.objects:
        if each.change is Change.UNCHANGED and not each.message:
            unchanged += 1
        else:
            yield _object(each)
    if unchanged:
        yield Text(f"    = {unchanged} unchanged", "dim")
    if planned.failure:
        # What an object's own line says is not said again.
        is_told = any(
            each.refusal and each.refusal in planned.failure for each in planned.objects
        )
        text = planned.reason if is_told else f"{planned.reason}: {planned.failure}"
        yield Text(f"    the step fails: {one_line(text)}", "bold red")
    elif not planned.objects and not planned.effects:
        yield Text("    nothing to apply", "dim")


def _object(each: PlannedObject) -> Text:
    if each.refusal:
        return Text(f"    ! {each.ref} refused: {one_line(each.refusal)}", "red")
    if each.change is None:
        return Text(f"    ? {each.ref} {one_line(each.message)}", "dim")
    mark, style = MARKS[each.change]
    more = f" ({one_line(each.message)})" if each.message else ""
    return Text(f"    {mark} {each.ref} {each.change}{more}", style)


def _sum(found: PlannedCommit) -> Iterator[Text]:
    if not found.environments:
        yield Text("no environment would get a revision: its inputs do not change")
    else:
        count = len(found.environments)
        plural = "environment" if count == 1 else "environments"
        objects = [each for env in found.environments for each in env.objects]
        yield Text(f"{count} {plural}: {summed(objects)}", "bold")
    if found.unaffected:
        names = ", ".join(found.unaffected)
        yield Text(f"not affected: {one_line(names)}", "dim")


def summed(objects: Iterable[PlannedObject]) -> str:
    """Return how many objects are created, configured and so on."""
    objects = list(objects)
    counts = Counter(each.change for each in objects if each.change is not None)
    parts = [f"{counts[change]} {change}" for change in Change if counts[change]]
    refused = sum(bool(each.refusal) for each in objects)
    parts += [f"{refused} refused"] if refused else []
    return ", ".join(parts) or "no objects"
