"""apply-object: applies one object to a target, and owns it from then on."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Self, cast

from pydantic import BaseModel, Field, field_validator, model_validator

from gitops_wf.core.environment import Environment
from gitops_wf.delivery import (
    Given,
    GivenRunner,
    Order,
    TargetProperties,
    all_at_once,
    chosen_targets,
    delivery_for,
    given_object,
    only_one,
)
from gitops_wf.ports.properties import VERBATIM
from gitops_wf.ports.runner import Capabilities, StepContext, StepType


class ApplyObjectProperties(TargetProperties):
    """What the step takes: an object as it stands, or a file that holds it."""

    value: Annotated[Mapping[str, Any] | None, VERBATIM] = Field(
        default=None,
        description="The object: apiVersion, kind, metadata.name and the rest. "
        "Without metadata.namespace it goes to the target's namespace.",
    )
    file: str | None = Field(
        default=None,
        description="File with the object, from the environment's folder; "
        "deploy2env then leaves it out.",
    )
    wait: bool = Field(
        default=False,
        description="Whether to wait until the object is healthy; else the step is "
        "done once it is applied.",
    )
    force: bool = Field(
        default=False,
        description="Delete and recreate it where an immutable field changed.",
    )
    force_conflicts: bool = Field(
        default=False, description="Take over fields that other managers own."
    )

    @field_validator("value")
    @classmethod
    def _is_object(cls, value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if value is None:
            return value
        for key in ("apiVersion", "kind"):
            if not value.get(key):
                raise ValueError(f"the object lacks {key}")
        metadata = value.get("metadata")
        if not isinstance(metadata, Mapping) or not metadata.get("name"):
            raise ValueError("the object lacks metadata.name")
        return value

    @field_validator("file")
    @classmethod
    def _stays_inside(cls, value: str | None) -> str | None:
        path = PurePosixPath(value or ".")
        if path.is_absolute() or ".." in path.parts:
            raise ValueError("file must stay inside the environment's folder")
        return value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.value is None) == (self.file is None):
            raise ValueError("write either value or file")
        return self


def used_file(properties: BaseModel, environment: Environment) -> tuple[str, ...]:
    """Return the file that the step uses, from the repository's root."""
    assert isinstance(properties, ApplyObjectProperties)
    if properties.file is None:
        return ()
    return (str(PurePosixPath(environment.folder) / properties.file),)


def _make(capabilities: Capabilities) -> GivenRunner:
    delivery = capabilities.shared(delivery_for)

    def gives(context: StepContext, order: Order) -> Given:
        properties = cast("ApplyObjectProperties", context.properties)
        if properties.value is not None:
            source = given_object(properties.value, str(context.step))
        else:
            [path] = used_file(properties, context.environment)
            source = only_one(delivery.read_file(order, path), path)
        return Given(
            source=source,
            waits=properties.wait,
            force=properties.force,
            force_conflicts=properties.force_conflicts,
        )

    return GivenRunner(delivery, gives)


STEP_TYPE = StepType(
    name="apply-object",
    properties=ApplyObjectProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    targets=chosen_targets,
    at_once=all_at_once,
    files=used_file,
    output_roots=("changes", "digest", "output"),
    owns_objects=True,
    summary="apply one object to a target, and keep it as it was applied",
)
