"""Which targets a step is for: the properties that several step types share."""

from typing import Self

from pydantic import BaseModel, Field, model_validator

from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.phases import Reason
from gitops_wf.ports.properties import Properties
from gitops_wf.ports.runner import StepContext


class SomeTargets(Properties):
    """The targets of a step; none means every target of the environment."""

    target: str | None = Field(
        default=None, description="One target; default: all of the environment's."
    )
    targets: tuple[str, ...] | None = Field(
        default=None, description="Several targets, one after the other."
    )

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.target is not None and self.targets is not None:
            raise ValueError("write either target or targets")
        if self.targets is not None and not self.targets:
            raise ValueError("targets: name one at least, or leave it out")
        return self


class TargetProperties(SomeTargets):
    """The targets of a step that may write to several at once."""

    parallel: bool = Field(
        default=False,
        description="Several targets at once: one that fails holds up no other.",
    )


def chosen_targets(
    properties: BaseModel, environment: Environment
) -> tuple[TargetName, ...]:
    """Return the targets that a step with these properties writes to."""
    assert isinstance(properties, SomeTargets)
    if properties.target is not None:
        return (TargetName(properties.target),)
    if properties.targets is not None:
        return tuple(TargetName(name) for name in properties.targets)
    return environment.targets


def all_at_once(properties: BaseModel) -> bool:
    """Return whether a step with these properties writes to its targets together."""
    assert isinstance(properties, TargetProperties)
    return properties.parallel


def target_of(context: StepContext) -> TargetName:
    """Return the target of a step run that writes to one; TerminalError for none."""
    if context.target is None:
        raise TerminalError(
            f"environment {context.environment.name} has no target: name one in "
            "environment.yaml (`targets`) or in the step (`target`)",
            reason=Reason.INVALID_DEFINITION,
        )
    return context.target
