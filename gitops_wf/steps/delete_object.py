"""delete-object: deletes one object, or those of a selector, and waits till they go."""

from datetime import timedelta
from typing import Literal, Self, cast

from pydantic import Field, model_validator

from gitops_wf.delivery import (
    DeletionRunner,
    Deletions,
    Meant,
    SelectorText,
    TargetProperties,
    all_at_once,
    chosen_targets,
)
from gitops_wf.ports.runner import Capabilities, StepContext, StepType


class DeleteObjectProperties(TargetProperties):
    """What the step takes."""

    api_version: str = Field(description="The API version, such as batch/v1.")
    kind: str = Field(description="The kind, such as Job.")
    name: str | None = Field(default=None, description="Name of the one object.")
    selector: SelectorText | None = Field(
        default=None,
        description="A label selector (as kubectl's -l) in place of a name: all "
        "such objects of the namespace.",
    )
    namespace: str | None = Field(
        default=None, description="Their namespace; default: the target's."
    )
    propagation: Literal["Background", "Foreground", "Orphan"] = Field(
        default="Background",
        description="What becomes of objects that these own, as Kubernetes has it.",
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.name is None) == (self.selector is None):
            raise ValueError("write either name or selector")
        return self


def _means(context: StepContext, _deletions: Deletions) -> Meant:
    properties = cast("DeleteObjectProperties", context.properties)
    return Meant(
        api_version=properties.api_version,
        kind=properties.kind,
        namespace=properties.namespace or "",
        name=properties.name or "",
        selector=properties.selector or "",
        propagation=properties.propagation,
    )


def _make(capabilities: Capabilities) -> DeletionRunner:
    return DeletionRunner(Deletions(clusters=capabilities.clusters), _means)


STEP_TYPE = StepType(
    name="delete-object",
    properties=DeleteObjectProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    targets=chosen_targets,
    at_once=all_at_once,
    output_roots=("changes", "deleted"),
    summary="delete one object, or those of a selector, and wait until they are gone",
)
