"""A workflow as declared: steps, order, conditions, limits; plain values only.

Expressions stay text here. They are checked when the commit is read and parsed
again (cached) where they are evaluated, so a workflow can be stored as JSON.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from gitops_wf.core.backoff import backoff
from gitops_wf.core.identifiers import StepName, TargetName

PRUNE_DEPARTED = "prune-departed"
"""The type of the step that the daemon itself adds at the end (`engine.departed`)."""


CLOUD_RESOURCE = "deploy-cloud-resource"
"""The type of the step that a workflow has where its content has cloud resources."""


class Mode(StrEnum):
    """How the steps of one list follow each other (KubeVela's words)."""

    STEP_BY_STEP = "StepByStep"
    DAG = "DAG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The pause before try n+1 is ``duration * factor**n``, capped."""

    duration: timedelta = timedelta(seconds=10)
    factor: float = 2.0
    max_duration: timedelta = timedelta(minutes=5)

    def pause(self, failures: int) -> timedelta:
        """Return the pause after so many failed tries (the first is 1)."""
        return backoff(
            failures,
            first=self.duration,
            longest=self.max_duration,
            factor=self.factor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a step that failed or errored is tried again."""

    limit: int
    backoff: Backoff = Backoff()


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A value of an earlier step's output, put at a key of the properties.

    ``parameter_key`` is a dotted path; empty makes it only a dependency.
    """

    source: str
    parameter_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A name given to what a CEL expression finds in a step's result."""

    name: str
    value_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One declared item of a workflow.

    ``targets`` are those that the step writes to, worked out by its type when
    the definition is read; more than one makes a sub-step run for each, in order or,
    with ``at_once``, all of them together.
    ``owns_objects`` says that what it applies stands in the target's inventory,
    ``only_tells`` that nothing is missing where it was left out.
    """

    name: StepName
    type: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    condition: str | None = None
    timeout: timedelta | None = None
    retry: Retry | None = None
    depends_on: tuple[StepName, ...] = ()
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    sub_steps: tuple["Step", ...] = ()
    mode: Mode | None = None
    targets: tuple[TargetName, ...] = ()
    at_once: bool = False
    owns_objects: bool = False
    only_tells: bool = False

    @property
    def is_added(self) -> bool:
        """Whether the daemon added the step: after all others, in either mode."""
        return self.type == PRUNE_DEPARTED

    @property
    def is_group(self) -> bool:
        """Whether the step is only a list of others."""
        return self.type == "step-group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """The declared work of an environment at one commit.

    ``timeout`` counts running time only, not waiting for approval;
    ``final_timeout`` bounds the ``if: always`` steps of a run that ends early.
    """

    steps: tuple[Step, ...]
    mode: Mode = Mode.STEP_BY_STEP
    sub_mode: Mode = Mode.DAG
    timeout: timedelta | None = None
    final_timeout: timedelta = timedelta(minutes=10)

    def walk(self) -> Iterator[tuple[Step, Step | None]]:
        """Yield each step with the group that holds it, in declared order."""
        for step in self.steps:
            yield step, None
            for sub in step.sub_steps:
                yield sub, step
