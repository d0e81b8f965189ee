"""deploy2env: renders the environment, applies it to a target, prunes, and waits."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import PurePosixPath
from typing import cast

from pydantic import Field, field_validator

from gitops_wf.core.changeset import ChangeSet
from gitops_wf.core.cloud import NO_CLOUD_RULES, CloudChoice, CloudRules
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.core.planned import Planned
from gitops_wf.core.upkeep.findings import Findings
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.delivery import (
    Delivery,
    Deployment,
    Order,
    Part,
    Selector,
    TargetProperties,
    all_at_once,
    chosen_targets,
    delivery_for,
)
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType


class DeployProperties(TargetProperties):
    """What the step takes."""

    path: str = Field(
        default="",
        description="A file or folder of the environment: only this is delivered.",
    )
    selector: str = Field(
        default="",
        description="A label selector (as kubectl's -l): only these are delivered.",
    )
    prune: bool | None = Field(
        default=None,
        description="Whether objects that left Git are deleted; default: as the "
        "environment says.",
    )
    wait: bool = Field(
        default=True, description="Whether to wait until every object is healthy."
    )
    force: bool = Field(
        default=False,
        description="Delete and recreate objects whose immutable fields changed.",
    )
    force_conflicts: bool = Field(
        default=False, description="Take over fields that other managers own."
    )

    @field_validator("selector")
    @classmethod
    def _is_selector(cls, value: str) -> str:
        Selector.parse(value)
        return value

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError("path must stay inside the environment's folder")
        return value


class DeployRunner:
    """Applies wave after wave; looks until every object is as Git wants it."""

    def __init__(self, delivery: Delivery, cloud: CloudRules) -> None:
        self._delivery = delivery
        self._deployment = Deployment(delivery)
        self._cloud = cloud

    def attempt(self, context: StepContext) -> StepResult:
        """Render, apply, prune, and look at once."""
        order, waits = _order(context, self._cloud), _waits(context)
        return self._deployment.attempt(context, order, waits=waits)

    def plan(self, context: StepContext) -> Planned:
        """Return what an attempt would apply and prune."""
        return self._delivery.plan(_order(context, self._cloud))

    def plan_claim(self, context: StepContext) -> frozenset[ObjectRef]:
        """Claim what an attempt would apply."""
        return self._delivery.plan_claim(_order(context, self._cloud))

    def look(self, context: StepContext) -> StepResult:
        """Look at the objects, and apply the next wave when its time has come."""
        order, waits = _order(context, self._cloud), _waits(context)
        return self._deployment.look(context, order, waits=waits)

    def compare(
        self, context: StepContext, rules: tuple[IgnoreRule, ...], *, max_age: timedelta
    ) -> Findings:
        """Compare the objects with what was released."""
        return self._delivery.look(_order(context, self._cloud), rules, max_age=max_age)

    def heal(
        self,
        context: StepContext,
        rules: tuple[IgnoreRule, ...],
        refs: Collection[ObjectRef],
    ) -> ChangeSet:
        """Apply again what drifted; nothing is pruned, nothing else is written."""
        return self._delivery.heal(_order(context, self._cloud), rules, refs)


def _waits(context: StepContext) -> bool:
    return cast("DeployProperties", context.properties).wait


def _order(context: StepContext, cloud: CloudRules = NO_CLOUD_RULES) -> Order:
    properties = cast("DeployProperties", context.properties)
    if context.target is None:
        raise TerminalError(
            f"environment {context.environment.name} has no target: name one in "
            "environment.yaml (`targets`) or in the step (`target`)",
            reason=Reason.INVALID_DEFINITION,
        )
    prune = context.environment.prune if properties.prune is None else properties.prune
    return Order(
        id=context.subject.environment,
        environment=context.environment,
        commit=context.subject.commit,
        number=context.subject.number,
        inputs=context.subject.inputs,
        target=context.target,
        step=str(context.step),
        now=context.now,
        part=Part(
            path=properties.path,
            selector=Selector.parse(properties.selector),
            without=tuple(CloudChoice(cloud, names) for names in context.to_hub),
        ),
        step_files=context.step_files,
        prune=prune,
        force=properties.force,
        force_conflicts=properties.force_conflicts,
    )


def _make(capabilities: Capabilities) -> DeployRunner:
    return DeployRunner(
        capabilities.shared(delivery_for),
        capabilities.cloud,
    )


STEP_TYPE = StepType(
    name="deploy2env",
    aliases=("deploy",),
    properties=DeployProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    targets=chosen_targets,
    at_once=all_at_once,
    output_roots=("changes", "digest", "objects"),
    owns_objects=True,
    summary="apply the environment to its targets and wait until it is healthy",
)
