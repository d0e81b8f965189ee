"""What an environment waits for, whatever the commit: by `after`, and by its steps."""

from collections.abc import Iterator

from gitops_wf.core.environment import Wait
from gitops_wf.core.expressions import ExpressionError, parse_condition
from gitops_wf.core.identifiers import (
    EnvironmentName,
    environment_name,
    repository_name,
)
from gitops_wf.definitions.facts import Facts
from gitops_wf.definitions.problems import line_at

_FORWARD = {"revision": {"rollback": False}}
"""What an `if` may read here: a step that only spares rollbacks waits otherwise."""


def waits_in(facts: Facts) -> tuple[Wait, ...]:
    """Return the waits of an environment's files for others of its repository.

    A step with an `if` that reads anything else than whether it is a rollback is left
    out: whether it waits is known when it runs.
    """
    return (*_after(facts), *_steps(facts))


def _after(facts: Facts) -> Iterator[Wait]:
    file = facts.environment_file
    for number, part in enumerate(file.after if file is not None else ()):
        place = ("after", number, "environment")
        for name in _own(facts, part.environment):
            yield Wait(
                environment=name,
                path=facts.environment_path,
                line=line_at(facts.environment_document, place),
            )


def _steps(facts: Facts) -> Iterator[Wait]:
    for step in facts.steps:
        conditions = (step.part.if_, step.group.if_ if step.group else None)
        if not all(map(_is_taken, conditions)):
            continue
        place = step.at("properties", "environment")
        for written in facts.environments_of(step):
            for name in _own(facts, written):
                yield Wait(
                    environment=name,
                    path=facts.workflow_path,
                    line=line_at(facts.workflow_document, place),
                )


def _own(facts: Facts, written: str) -> Iterator[EnvironmentName]:
    """Yield the environment that is meant, if it is of this repository."""
    meant = facts.meant(written)
    if meant is not None and repository_name(meant) == facts.source.repository:
        yield environment_name(meant)


def _is_taken(condition: str | None) -> bool:
    """Whether a step with this `if` runs for every commit that is no rollback."""
    try:
        return parse_condition(condition).holds(_FORWARD, nothing_failed=True)
    except ExpressionError:
        return False
