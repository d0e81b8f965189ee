"""deploy2env: renders the environment, applies it to a target, prunes, and waits."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, cast

from pydantic import Field, field_validator

from gitops_wf.core.changeset import Change, ChangeSet
from gitops_wf.core.errors import DefinitionError, TerminalError
from gitops_wf.core.health import Health
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.upkeep.findings import Findings
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.delivery import (
    CLAIMED,
    DONE,
    Delivery,
    ObjectClaimedError,
    ObjectHealth,
    Order,
    Part,
    Selector,
    TargetProperties,
    chosen_targets,
)
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType

FIRST_LOOK = timedelta(seconds=1)
LAST_LOOK = timedelta(seconds=10)
SHARED_AGE = timedelta(seconds=2)
"""How old the LIST of a look may be: environments that look together share it."""

CLAIM_PATIENCE = timedelta(minutes=1)
"""How long an object may be another environment's: a commit that moves it makes a
revision of both, and either may come first."""

CLAIM_LOOK = timedelta(seconds=5)
SHOWN = 3
OUTPUT_OBJECTS = 200
MEMO_OBJECTS = 500


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
    """Applies once an attempt; looks until every object is as Git wants it."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def attempt(self, context: StepContext) -> StepResult:
        """Render, apply, prune, and look at once."""
        order = _order(context)
        try:
            rendered = self._delivery.render(order)
            changes = self._delivery.deliver(order, rendered)
        except DefinitionError as exc:
            return StepResult(
                phase=Phase.FAILED,
                reason=Reason.INVALID_DEFINITION,
                message=str(exc),
                is_final=True,
            )
        except ObjectClaimedError as exc:
            return _claimed(context, exc)
        memo = {
            "changes": str(changes),
            "digest": rendered.digest,
            "changed": _named(changes, {Change.CREATED, Change.CONFIGURED}),
            "leaving": _named(changes, {Change.DELETED, Change.SKIPPED}),
        }
        if not cast("DeployProperties", context.properties).wait:
            return StepResult(
                phase=Phase.SUCCEEDED,
                inventory=self._delivery.complete(order),
                message=f"{changes}; health not awaited",
                outputs=_outputs(memo, ()),
                memo=memo,
            )
        return self._judged(context, memo, max_age=timedelta())

    def look(self, context: StepContext) -> StepResult:
        """Look at the objects; the last look records that the step completed."""
        if context.memo.get("claimed"):
            return self.attempt(context)
        # The first may be of another process, whose list is from before the apply.
        max_age = SHARED_AGE if context.look > 1 else timedelta()
        return self._judged(context, dict(context.memo), max_age=max_age)

    def compare(
        self, context: StepContext, rules: tuple[IgnoreRule, ...], *, max_age: timedelta
    ) -> Findings:
        """Compare the objects with what was released."""
        return self._delivery.look(_order(context), rules, max_age=max_age)

    def heal(
        self,
        context: StepContext,
        rules: tuple[IgnoreRule, ...],
        refs: Collection[ObjectRef],
    ) -> ChangeSet:
        """Apply again what drifted; nothing is pruned, nothing else is written."""
        return self._delivery.heal(_order(context), rules, refs)

    def _judged(
        self, context: StepContext, memo: dict[str, Any], *, max_age: timedelta
    ) -> StepResult:
        order = _order(context)
        found = self._delivery.observe(
            order.id, order.target, steps=[order.step], max_age=max_age
        )
        # What is not to be there any more may take its time to go.
        leaving = memo.get("leaving") or {}
        found = [each for each in found if str(each.ref) not in leaving]
        outputs = _outputs(memo, found)
        failed = [each for each in found if each.status.health is Health.FAILED]
        if failed:
            return StepResult(
                phase=Phase.FAILED,
                reason=Reason.HEALTH_CHECK_FAILED,
                message=_some(failed),
                inventory=self._delivery.inventory(order.id, order.target),
                outputs=outputs,
                memo=memo,
            )
        waiting = [each for each in found if each.status.health not in DONE]
        if waiting:
            return StepResult(
                phase=Phase.RUNNING,
                message=f"{memo.get('changes', '')}; waiting for {_some(waiting)}",
                outputs=outputs,
                retry_after=min(FIRST_LOOK * 1.5 ** min(context.look, 8), LAST_LOOK),
                memo=memo,
            )
        return StepResult(
            phase=Phase.SUCCEEDED,
            inventory=self._delivery.complete(order),
            message=f"{memo.get('changes', '')}; {_healthy(found)}",
            outputs=outputs,
            memo=memo,
        )


def _claimed(context: StepContext, error: ObjectClaimedError) -> StepResult:
    """Try again for a while; two files that want one object are then an error."""
    if context.now - context.started < CLAIM_PATIENCE:
        return StepResult(
            phase=Phase.RUNNING,
            reason=CLAIMED,
            message=f"{error}; waiting for that",
            retry_after=CLAIM_LOOK,
            memo={"claimed": True},
        )
    return StepResult(
        phase=Phase.FAILED, reason=CLAIMED, message=str(error), is_final=True
    )


def _order(context: StepContext) -> Order:
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
        part=Part(path=properties.path, selector=Selector.parse(properties.selector)),
        step_files=context.step_files,
        prune=prune,
        force=properties.force,
        force_conflicts=properties.force_conflicts,
    )


def _named(changes: ChangeSet, kinds: set[Change]) -> dict[str, str]:
    """Return the objects that changed so, for the looks that follow."""
    entries = [entry for entry in changes.entries if entry.change in kinds]
    return {str(entry.ref): str(entry.change) for entry in entries[:MEMO_OBJECTS]}


def _outputs(memo: dict[str, Any], found: Sequence[ObjectHealth]) -> dict[str, Any]:
    changes = memo.get("changed") or {}
    return {
        "changes": memo.get("changes", ""),
        "digest": memo.get("digest", ""),
        "objects": [
            {
                "object": str(each.ref),
                "change": changes.get(str(each.ref), str(Change.UNCHANGED)),
                "health": str(each.status.health),
                "message": each.status.message,
            }
            for each in found[:OUTPUT_OBJECTS]
        ],
    }


def _some(objects: Sequence[ObjectHealth]) -> str:
    text = "; ".join(str(each) for each in objects[:SHOWN])
    more = len(objects) - SHOWN
    return f"{text}; and {more} more" if more > 0 else text


def _healthy(found: Sequence[ObjectHealth]) -> str:
    suspended = [each for each in found if each.status.health is Health.SUSPENDED]
    text = f"{len(found) - len(suspended)} healthy"
    return f"{text}, {len(suspended)} suspended" if suspended else text


def _make(capabilities: Capabilities) -> DeployRunner:
    return DeployRunner(
        Delivery(
            clusters=capabilities.clusters,
            content=capabilities.content,
            read=capabilities.manifests,
            instance=capabilities.instance,
            adopt=capabilities.adopt,
            digest_key=capabilities.digest_key,
            renderer=capabilities.renderer,
            secrets=capabilities.secrets,
            health=capabilities.health,
        )
    )


STEP_TYPE = StepType(
    name="deploy2env",
    aliases=("deploy",),
    properties=DeployProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    targets=chosen_targets,
    output_roots=("changes", "digest", "objects"),
    owns_objects=True,
    summary="apply the environment to its targets and wait until it is healthy",
)
