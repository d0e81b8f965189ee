"""What `diff` prints: each object as it is, and as the apply would leave it."""

import difflib
from collections.abc import Iterator

import yaml
from rich.text import Text

from gitops_wf.cli.plan_text import heading, notes, title, where
from gitops_wf.cli.table import one_line
from gitops_wf.core.inventory import Manifest
from gitops_wf.core.planned import PlannedObject
from gitops_wf.services.plan_views import PlannedCommit, PlannedStep
from gitops_wf.services.views import Json

_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_CONTEXT = 3


def diff_lines(found: PlannedCommit) -> Iterator[Text]:
    """Yield the differences of all objects, by environment and step."""
    yield heading(found)
    yield from notes(found)
    for environment in found.environments:
        steps = [step for step in environment.steps if _says_something(step)]
        if not steps and not environment.problems:
            continue
        yield Text()
        yield title(environment)
        for problem in environment.problems:
            yield Text(one_line(problem), "red")
        for step in steps:
            yield from _step(step)


def unified(each: PlannedObject) -> list[str]:
    """Return the difference of one object as lines of a unified diff."""
    before, after = _yaml(each.before), _yaml(each.after)
    name = str(each.ref)
    found = difflib.unified_diff(
        before, after, f"live/{name}", f"planned/{name}", n=_CONTEXT, lineterm=""
    )
    return list(found)


def diff_json(found: PlannedCommit) -> Json:
    """Return a plan as plain JSON, each object with its difference as text."""
    view = found.as_json()
    for environment, told in zip(found.environments, view["environments"], strict=True):
        for step, told_step in zip(environment.steps, told["steps"], strict=True):
            objects = step.planned.objects if step.planned is not None else ()
            for each, told_object in zip(
                objects, told_step["objects"] or (), strict=True
            ):
                lines = unified(each) if each.is_different else []
                told_object["diff"] = "\n".join(lines)
    return view


def _says_something(step: PlannedStep) -> bool:
    planned = step.planned
    return planned is not None and (
        bool(planned.failure) or any(each.is_different for each in planned.objects)
    )


def _step(step: PlannedStep) -> Iterator[Text]:
    planned = step.planned
    assert planned is not None
    yield Text(where(step), "bold")
    for each in planned.objects:
        if not (each.is_different or each.refusal):
            continue
        group = f"{each.ref.group}/" if each.ref.group else ""
        place = f"{each.ref.namespace}/" if each.ref.namespace else ""
        what = str(each.change or "refused") + (
            f" ({one_line(each.message)})" if each.message else ""
        )
        name = f"{group}{each.ref.kind} {place}{each.ref.name}"
        yield Text(f"===== {name} {what} =====", "bold")
        if each.refusal:
            yield Text(one_line(each.refusal), "red")
        for line in unified(each) if each.is_different else ():
            yield Text(line, _STYLES.get(line[:1], ""))
    if planned.failure:
        yield Text(f"the step fails: {one_line(planned.failure)}", "bold red")


def _yaml(manifest: Manifest | None) -> list[str]:
    if manifest is None:
        return []
    text = yaml.safe_dump(
        dict(manifest), sort_keys=True, allow_unicode=True, width=10_000
    )
    return text.splitlines()
