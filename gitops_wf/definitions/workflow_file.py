"""The shape of workflow.yaml, and its core value."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, StrictFloat, StrictInt, field_validator

from gitops_wf.core.workflow import Backoff, Input, Mode, Output, Retry
from gitops_wf.definitions.expression_texts import written_expressions
from gitops_wf.definitions.fields import (
    API_VERSION,
    ConditionText,
    Count,
    Name,
    Part,
    PositiveSpan,
    Text,
    Word,
    broken,
)

MAX_STEPS = 200
MAX_EXPRESSION_TEXT = 50_000
ModeName = Literal["StepByStep", "DAG"]


class BackoffPart(Part):
    """The pause before each further try: it grows by a factor, up to a bound."""

    duration: PositiveSpan = Field(
        default=Backoff().duration, description="The first pause."
    )
    factor: StrictInt | StrictFloat = Field(
        default=2, description="What each pause is multiplied by (1 to 10)."
    )
    max_duration: PositiveSpan = Field(
        default=Backoff().max_duration, description="The longest pause."
    )

    @field_validator("factor")
    @classmethod
    def _bounded(cls, value: float) -> float:
        if not 1 <= value <= 10:
            raise broken("retry-bounds", f"must be from 1 to 10, not {value:g}")
        return value


class RetryPart(Part):
    """How often a step that failed is tried again."""

    limit: Count = Field(description="How many further tries (0 to 100).")
    backoff: BackoffPart = Field(
        default=BackoffPart(), description="The pauses between them."
    )

    @field_validator("limit")
    @classmethod
    def _bounded(cls, value: int) -> int:
        if value > 100:
            raise broken("retry-bounds", f"must be from 0 to 100, not {value}")
        return value

    def to_core(self) -> Retry:
        """The core's value."""
        return Retry(
            limit=self.limit,
            backoff=Backoff(
                duration=self.backoff.duration,
                factor=float(self.backoff.factor),
                max_duration=self.backoff.max_duration,
            ),
        )


class InputPart(Part):
    """A value put at a key of the properties."""

    from_: Text = Field(
        alias="from",
        description="Name of an output, or a path such as revision.number.",
    )
    parameter_key: Text = Field(
        default="", description="Where in the properties; empty: only wait for it."
    )

    def to_core(self) -> Input:
        """The core's value."""
        return Input(source=self.from_, parameter_key=self.parameter_key)


class OutputPart(Part):
    """A name for a value of the step's result."""

    name: Word = Field(description="The name, unique in the workflow.")
    value_from: ConditionText = Field(
        description="A CEL expression, such as response.body.version."
    )

    def to_core(self) -> Output:
        """The core's value."""
        return Output(name=self.name, value_from=self.value_from)


class StepPart(Part):
    """One declared item of the workflow."""

    name: Name = Field(description="Unique in the workflow.")
    type: Text = Field(description="What the step does.")
    properties: dict[str, Any] = Field(
        default_factory=dict, description="What its type takes."
    )
    if_: ConditionText | None = Field(
        default=None,
        alias="if",
        description="`always`, or a CEL expression; default: if nothing before failed.",
    )
    timeout: PositiveSpan | None = Field(
        default=None, description="From the first try; each type has a default."
    )
    retry: RetryPart | None = Field(
        default=None, description="Try again when it fails."
    )
    depends_on: tuple[Name, ...] = Field(
        default=(), description="Steps that must have ended well."
    )
    inputs: tuple[InputPart, ...] = Field(default=(), description="Values it takes.")
    outputs: tuple[OutputPart, ...] = Field(default=(), description="Values it gives.")
    sub_steps: tuple["StepPart", ...] | None = Field(
        default=None, description="The steps of a step-group."
    )
    mode: ModeName | None = Field(
        default=None, description="How the steps of a step-group follow each other."
    )


def _expressions(steps: tuple[StepPart, ...]) -> Iterator[str]:
    for step in steps:
        yield step.if_ or ""
        yield from (output.value_from for output in step.outputs)
        yield from (text for _, text in written_expressions(step.properties))
        yield from _expressions(step.sub_steps or ())


class ModePart(Part):
    """One after the other, or as soon as each may."""

    steps: ModeName = Field(default="StepByStep", description="The workflow's own.")
    sub_steps: ModeName = Field(default="DAG", description="Those of a step-group.")


class WorkflowFile(Part):
    """The work of an environment, in order."""

    api_version: Literal["gitops-wf.io/v1alpha1"] = Field(
        description=f"Always {API_VERSION}."
    )
    kind: Literal["Workflow"] = Field(description="Always Workflow.")
    timeout: PositiveSpan | None = Field(
        default=None, description="Of running; waiting for approval does not count."
    )
    final_timeout: PositiveSpan | None = Field(
        default=None, description="For `if: always` steps of a run that ends early."
    )
    mode: ModePart = Field(
        default=ModePart(), description="How steps follow each other."
    )
    steps: tuple[StepPart, ...] = Field(min_length=1, description="The work, in order.")

    @field_validator("steps")
    @classmethod
    def _bounded(cls, steps: tuple[StepPart, ...]) -> tuple[StepPart, ...]:
        """Keep what a commit can make the daemon check within a few seconds."""
        count = sum(1 + len(step.sub_steps or ()) for step in steps)
        if count > MAX_STEPS:
            raise broken(
                "workflow-bounds",
                f"there are {count} steps, sub-steps included; at most {MAX_STEPS} are"
                " accepted: split the work over environments",
            )
        size = sum(map(len, _expressions(steps)))
        if size > MAX_EXPRESSION_TEXT:
            raise broken(
                "workflow-bounds",
                f"the texts with expressions have {size:,} characters together; at most"
                f" {MAX_EXPRESSION_TEXT:,} are accepted",
            )
        return steps

    @property
    def core_mode(self) -> Mode:
        """How the workflow's own steps follow each other."""
        return Mode(self.mode.steps)

    @property
    def core_sub_mode(self) -> Mode:
        """How the steps of its groups follow each other."""
        return Mode(self.mode.sub_steps)
