"""clean-jobs: deletes Jobs that have ended, with their Pods."""

from datetime import timedelta
from typing import Literal, Self, cast

from pydantic import Field, model_validator

from gitops_wf.core.health import Health, health_of
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.delivery import (
    DeletionRunner,
    Deletions,
    Meant,
    SelectorText,
    TargetProperties,
    all_at_once,
    chosen_targets,
    owner_label,
    target_of,
)
from gitops_wf.ports.runner import Capabilities, StepContext, StepType

ENDED = frozenset({Health.CURRENT, Health.FAILED, Health.TERMINATING})
"""A Job on its way out is waited for, whatever became of it."""


class CleanJobsProperties(TargetProperties):
    """What the step takes."""

    selector: SelectorText = Field(
        default="",
        description="A label selector (as kubectl's -l): only Jobs with these labels.",
    )
    namespace: str | None = Field(
        default=None, description="Their namespace; default: the target's."
    )
    owner: Literal["environment", "any"] = Field(
        default="environment",
        description="`any` also takes Jobs that are no environment's; it needs a "
        "selector. Those of other environments are never deleted.",
    )
    running: bool = Field(
        default=False,
        description="Whether Jobs go that have not ended; their work is cut off.",
    )

    @model_validator(mode="after")
    def _any_is_selected(self) -> Self:
        if self.owner == "any" and not self.selector:
            raise ValueError("owner: any needs a selector: say which Jobs are meant")
        return self


def _means(context: StepContext, deletions: Deletions) -> Meant:
    properties = cast("CleanJobsProperties", context.properties)
    environment = context.subject.environment
    name, mine = owner_label(environment)
    delivered = deletions.inventoried(environment, target_of(context))

    def is_meant(live: Manifest) -> bool:
        labels = (live.get("metadata") or {}).get("labels") or {}
        owners = {mine} if properties.owner == "environment" else {mine, None}
        # What a step delivers is that step's: it would only come back.
        return (
            labels.get(name) in owners
            and ObjectRef.of(live) not in delivered
            and (properties.running or health_of(live).health in ENDED)
        )

    return Meant(
        api_version="batch/v1",
        kind="Job",
        namespace=properties.namespace or "",
        selector=properties.selector,
        filter=is_meant,
    )


def _make(capabilities: Capabilities) -> DeletionRunner:
    return DeletionRunner(Deletions(clusters=capabilities.clusters), _means)


STEP_TYPE = StepType(
    name="clean-jobs",
    properties=CleanJobsProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    targets=chosen_targets,
    at_once=all_at_once,
    output_roots=("changes", "deleted"),
    summary="delete Jobs of the environment that have ended, with their Pods",
)
