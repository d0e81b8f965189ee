"""deploy-cloud-resource: makes cloud resources on the hub, and copies their Secrets."""

from collections.abc import Collection
from datetime import timedelta
from typing import cast

from pydantic import BaseModel, Field

from gitops_wf.core.backoff import next_look
from gitops_wf.core.changeset import ChangeSet
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.planned import Planned
from gitops_wf.core.upkeep.findings import Findings
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.core.workflow import CLOUD_RESOURCE
from gitops_wf.delivery import (
    CopyProperties,
    Delivery,
    Deployment,
    ResourceName,
    SecretCopies,
    SomeTargets,
    Work,
    chosen_targets,
    delivery_for,
    guarded,
    joined,
    shared,
    some,
)
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType


class DeployCloudResourceProperties(SomeTargets, CopyProperties):
    """What the step takes; its targets are those that get the Secret."""

    resources: tuple[ResourceName, ...] = Field(
        default=(),
        description="Only these cloud resources, each by its name or Kind/name; "
        "default: all in the environment's content.",
    )
    prune: bool | None = Field(
        default=None,
        description="Whether cloud resources that left Git are deleted; default: as "
        "the environment says.",
    )


class DeployCloudResourceRunner:
    """On the hub it delivers and waits; on each target it copies the Secrets."""

    def __init__(self, delivery: Delivery, copies: SecretCopies) -> None:
        self._delivery = delivery
        self._deployment = Deployment(delivery)
        self._copies = copies

    def attempt(self, context: StepContext) -> StepResult:
        """Apply the cloud resources, or copy what their Secrets hold."""
        work, properties = _work(context), _properties(context)
        if not work.is_on_hub:
            return self._copied(context)
        order = self._copies.hub.order(work, prune=properties.prune)

        def act() -> StepResult:
            self._copies.hub.check(work)
            self._copies.hub.make_place(work)
            result = self._deployment.attempt(context, order, completes=False)
            return self._carried_on(context, work, result)

        return guarded(context, act)

    def look(self, context: StepContext) -> StepResult:
        """Look at what is on the hub, and go on when it is ready."""
        work, properties = _work(context), _properties(context)
        if not work.is_on_hub:
            return self._copied(context)
        if not context.memo:
            return self.attempt(context)
        order = self._copies.hub.order(work, prune=properties.prune)
        result = self._deployment.look(context, order, completes=False)
        return guarded(context, lambda: self._carried_on(context, work, result))

    def plan(self, context: StepContext) -> Planned:
        """Return what an attempt would apply, prune and copy."""
        work, properties = _work(context), _properties(context)
        objects = Planned()
        if work.is_on_hub:
            self._copies.hub.make_place(work)
            order = self._copies.hub.order(work, prune=properties.prune)
            objects = self._delivery.plan(order)
            if objects.failure or work.target not in _copy_targets(context):
                return objects
        copies = self._copies.plan(work, [properties.wish()])
        return Planned(
            objects=(*objects.objects, *copies.objects),
            failure=copies.failure,
            reason=copies.reason,
            is_unknown=copies.is_unknown,
        )

    def compare(
        self, context: StepContext, rules: tuple[IgnoreRule, ...], *, max_age: timedelta
    ) -> Findings:
        """Compare the cloud resources with Git, and copies with their Secrets."""
        work, wishes = _work(context), [_properties(context).wish()]
        found = Findings()
        if work.is_on_hub:
            order = self._copies.hub.order(work)
            found = self._delivery.look(order, rules, max_age=max_age)
        if work.target not in _copy_targets(context):
            return found
        return found.joined(self._copies.compare(work, wishes, rules, max_age=max_age))

    def heal(
        self,
        context: StepContext,
        rules: tuple[IgnoreRule, ...],
        refs: Collection[ObjectRef],
    ) -> ChangeSet:
        """Apply again what drifted, and copy what has changed."""
        work, wishes = _work(context), [_properties(context).wish()]
        changes = ChangeSet()
        if work.is_on_hub:
            changes = self._delivery.heal(self._copies.hub.order(work), rules, refs)
        if work.target not in _copy_targets(context):
            return changes
        copied = self._copies.heal(work, wishes, rules, refs)
        return ChangeSet(entries=(*changes.entries, *copied.entries))

    def _carried_on(
        self, context: StepContext, work: Work, result: StepResult
    ) -> StepResult:
        """Go on from what the delivery to the hub came to."""
        if result.phase is not Phase.SUCCEEDED:
            return result
        unready = self._copies.hub.unready(work)
        if unready:
            then = StepResult(
                phase=Phase.RUNNING,
                message=f"waiting for {some(unready)}",
                retry_after=next_look(context.look),
            )
            return joined(result, then)
        if work.target in _copy_targets(context):
            return joined(result, self._copied(context))
        done = StepResult(phase=Phase.SUCCEEDED, inventory=self._copies.complete(work))
        return joined(result, done)

    def _copied(self, context: StepContext) -> StepResult:
        wishes = [_properties(context).wish()]
        return shared(self._copies, context, _work(context), wishes)


def _properties(context: StepContext) -> DeployCloudResourceProperties:
    return cast("DeployCloudResourceProperties", context.properties)


def _copy_targets(context: StepContext) -> tuple[TargetName, ...]:
    return chosen_targets(context.properties, context.environment)


def _work(context: StepContext) -> Work:
    if context.target is None:
        raise TerminalError(
            f"environment {context.environment.name} has no target for the Secrets of"
            " cloud resources: name one in environment.yaml (`targets`) or in the step"
            " (`target`), and the hub in the daemon config (`hub`)",
            reason=Reason.INVALID_DEFINITION,
        )
    return Work.of(context, context.target, _properties(context).resources)


def written_targets(
    properties: BaseModel, environment: Environment
) -> tuple[TargetName, ...]:
    """Return the hub, then the targets that get the Secrets."""
    hub = () if environment.hub is None else (environment.hub,)
    return tuple(dict.fromkeys((*hub, *chosen_targets(properties, environment))))


def brought(properties: BaseModel) -> tuple[str, ...] | None:
    """Return the cloud resources that the step delivers; an empty tuple is all."""
    return cast("DeployCloudResourceProperties", properties).resources


def _make(capabilities: Capabilities) -> DeployCloudResourceRunner:
    delivery = capabilities.shared(delivery_for)
    copies = SecretCopies.of(capabilities, delivery)
    return DeployCloudResourceRunner(delivery, copies)


STEP_TYPE = StepType(
    name=CLOUD_RESOURCE,
    properties=DeployCloudResourceProperties,
    make=_make,
    default_timeout=timedelta(hours=1),
    targets=written_targets,
    to_hub=brought,
    output_roots=("changes", "digest", "objects", "secrets"),
    owns_objects=True,
    summary="make cloud resources on the hub, and copy their Secrets to the targets",
)
