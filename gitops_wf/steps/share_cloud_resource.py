"""share-cloud-resource: copies the Secrets of cloud resources to further places."""

from collections.abc import Collection
from datetime import timedelta
from typing import cast

from pydantic import BaseModel, Field

from gitops_wf.core.changeset import ChangeSet
from gitops_wf.core.environment import Environment
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.planned import Planned
from gitops_wf.core.upkeep.findings import Findings
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.delivery import (
    CopyProperties,
    ResourceName,
    SecretCopies,
    Wish,
    Work,
    delivery_for,
    shared,
)
from gitops_wf.ports.properties import Properties
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType


class Placement(CopyProperties):
    """A further place for the Secret."""

    target: str = Field(description="A target of the daemon config.")


class ShareCloudResourceProperties(Properties):
    """What the step takes."""

    placements: tuple[Placement, ...] = Field(
        min_length=1, description="Further places for the Secrets."
    )
    resources: tuple[ResourceName, ...] = Field(
        default=(),
        description="Only of these cloud resources, each by its name or Kind/name; "
        "default: all in the environment's content.",
    )


class ShareCloudResourceRunner:
    """Waits for the Secrets, and copies them to the placements on one target."""

    def __init__(self, copies: SecretCopies) -> None:
        self._copies = copies

    def attempt(self, context: StepContext) -> StepResult:
        """Copy what is there."""
        return shared(self._copies, context, _work(context), _wishes(context))

    def look(self, context: StepContext) -> StepResult:
        """See whether what was missing is there now."""
        return self.attempt(context)

    def plan(self, context: StepContext) -> Planned:
        """Return what an attempt would copy."""
        return self._copies.plan(_work(context), _wishes(context))

    def compare(
        self, context: StepContext, rules: tuple[IgnoreRule, ...], *, max_age: timedelta
    ) -> Findings:
        """Compare the copies with their Secrets."""
        work, wishes = _work(context), _wishes(context)
        return self._copies.compare(work, wishes, rules, max_age=max_age)

    def heal(
        self,
        context: StepContext,
        rules: tuple[IgnoreRule, ...],
        refs: Collection[ObjectRef],
    ) -> ChangeSet:
        """Copy again what has changed."""
        return self._copies.heal(_work(context), _wishes(context), rules, refs)


def _properties(context: StepContext) -> ShareCloudResourceProperties:
    return cast("ShareCloudResourceProperties", context.properties)


def _wishes(context: StepContext) -> list[Wish]:
    """Return what is wanted on the target of this part of the step."""
    return [
        placement.wish()
        for placement in _properties(context).placements
        if placement.target == context.target
    ]


def _work(context: StepContext) -> Work:
    assert context.target is not None
    return Work.of(context, context.target, _properties(context).resources)


def written_targets(
    properties: BaseModel, _environment: Environment
) -> tuple[TargetName, ...]:
    """Return the targets of the placements."""
    placements = cast("ShareCloudResourceProperties", properties).placements
    return tuple(dict.fromkeys(TargetName(each.target) for each in placements))


def _make(capabilities: Capabilities) -> ShareCloudResourceRunner:
    delivery = capabilities.shared(delivery_for)
    return ShareCloudResourceRunner(SecretCopies.of(capabilities, delivery))


STEP_TYPE = StepType(
    name="share-cloud-resource",
    properties=ShareCloudResourceProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    targets=written_targets,
    any_target=True,
    output_roots=("changes", "secrets"),
    owns_objects=True,
    summary="copy the Secrets of cloud resources to further places",
)
