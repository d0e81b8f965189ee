"""Objects that a step itself gives: applied, owned, awaited and kept as any other."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from gitops_wf.core.backoff import next_look
from gitops_wf.core.changeset import ChangeSet
from gitops_wf.core.health import Health
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.planned import Planned
from gitops_wf.core.run import StepObject
from gitops_wf.core.upkeep.findings import Findings
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.delivery.delivery import Delivery
from gitops_wf.delivery.deploying import guarded
from gitops_wf.delivery.observing import DONE, ObjectHealth
from gitops_wf.delivery.orders import Order
from gitops_wf.delivery.rendering import Source
from gitops_wf.delivery.showing import told
from gitops_wf.delivery.targeting import target_of
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One object that a step wants on its target, and how.

    ``waits`` says that the step is done only once it is Current.
    """

    source: Source
    waits: bool = False
    force: bool = False
    force_conflicts: bool = False


Gives = Callable[[StepContext, Order], Given]
"""What a step gives; the order has all but that, for reading files at its commit."""


class GivenRunner:
    """Runs a step type that gives an object; a StepClaimer and an ObjectKeeper."""

    def __init__(self, delivery: Delivery, gives: Gives) -> None:
        self._delivery = delivery
        self._gives = gives

    def attempt(self, context: StepContext) -> StepResult:
        """Apply the object, delete what the step gave before, and look at once."""
        return guarded(context, lambda: self._applied(context))

    def _applied(self, context: StepContext) -> StepResult:
        order, given = self._ordered(context)
        rendered = self._delivery.render(order)
        changes = self._delivery.deliver(order, rendered)
        [item] = rendered.objects
        memo = {
            "version": item.api_version.rpartition("/")[2],
            "object": asdict(item.ref),
            "digest": rendered.digest,
            "changes": [
                [str(each.ref), str(each.change), each.message]
                for each in changes.entries
            ],
        }
        return self._judged(context, order, given, memo)

    def look(self, context: StepContext) -> StepResult:
        """See how the object is; nothing is applied again."""
        if context.memo.get("claimed"):
            return self.attempt(context)
        order, given = self._ordered(context)
        return self._judged(context, order, given, context.memo)

    def plan(self, context: StepContext) -> Planned:
        """Return what an attempt would apply, and delete."""
        return self._delivery.plan(self._ordered(context)[0])

    def plan_claim(self, context: StepContext) -> frozenset[ObjectRef]:
        """Claim the object."""
        return self._delivery.plan_claim(self._ordered(context)[0])

    def compare(
        self, context: StepContext, rules: tuple[IgnoreRule, ...], *, max_age: timedelta
    ) -> Findings:
        """Compare the object with what was released."""
        order = self._ordered(context)[0]
        return self._delivery.look(order, rules, max_age=max_age)

    def heal(
        self,
        context: StepContext,
        rules: tuple[IgnoreRule, ...],
        refs: Collection[ObjectRef],
    ) -> ChangeSet:
        """Apply it again where it drifted."""
        return self._delivery.heal(self._ordered(context)[0], rules, refs)

    def _ordered(self, context: StepContext) -> tuple[Order, Given]:
        order = Order(
            id=context.subject.environment,
            environment=context.environment,
            commit=context.subject.commit,
            number=context.subject.number,
            inputs=context.subject.inputs,
            target=target_of(context),
            step=str(context.step),
            now=context.now,
            prune=context.environment.prune,
        )
        given = self._gives(context, order)
        order = replace(
            order,
            given=(given.source,),
            force=given.force,
            force_conflicts=given.force_conflicts,
        )
        return order, given

    def _judged(
        self, context: StepContext, order: Order, given: Given, memo: Mapping[str, Any]
    ) -> StepResult:
        ref = ObjectRef(**memo["object"])
        found = self._found(order, ref, is_fresh=context.look <= 1)
        result = StepResult(
            phase=Phase.SUCCEEDED,
            outputs=self._outputs(order, ref, memo),
            objects=_objects(memo, found),
            digest=str(memo["digest"]),
            memo=memo,
        )
        changes = "; ".join(
            f"{name} {change}" + (f" ({why})" if why else "")
            for name, change, why in memo["changes"]
        )
        # What is marked to be left alone is not ours, so it is not waited for.
        if not given.waits or found is None:
            return replace(
                result,
                message=changes,
                inventory=self._delivery.complete(order),
            )
        match found.status.health:
            case Health.FAILED:
                return replace(
                    result,
                    phase=Phase.FAILED,
                    reason=Reason.HEALTH_CHECK_FAILED,
                    message=str(found),
                    inventory=self._delivery.inventory(order.id, order.target),
                )
            case health if health in DONE:
                return replace(
                    result,
                    message=f"{changes}; {health}",
                    inventory=self._delivery.complete(order),
                )
            case _:
                return replace(
                    result,
                    phase=Phase.RUNNING,
                    message=f"{changes}; waiting for {found}",
                    retry_after=next_look(context.look),
                )

    def _found(
        self, order: Order, ref: ObjectRef, *, is_fresh: bool
    ) -> ObjectHealth | None:
        """Return how the object is; None where it is not the environment's."""
        found = self._delivery.observe(
            order.id,
            order.target,
            steps=[order.step],
            objects={str(ref)},
            max_age=timedelta() if is_fresh else timedelta(seconds=2),
        )
        return found[0] if found else None

    def _outputs(
        self, order: Order, ref: ObjectRef, memo: Mapping[str, Any]
    ) -> dict[str, Any]:
        live = self._delivery.live(order, ref, str(memo["version"]))
        return {
            "changes": [list(each) for each in memo["changes"]],
            "digest": memo["digest"],
            "output": {"value": None if live is None else told(live)},
        }


def _objects(
    memo: Mapping[str, Any], found: ObjectHealth | None
) -> tuple[StepObject, ...]:
    """Return what became of the object, and of those that the step gave before."""
    by_name = {str(found.ref): found.status} if found is not None else {}
    return tuple(
        StepObject(
            object=name,
            change=change,
            health=str(by_name[name].health) if name in by_name else "",
            message="; ".join(
                text
                for text in (why, by_name[name].message if name in by_name else "")
                if text
            ),
        )
        for name, change, why in memo["changes"]
    )


def delivery_for(capabilities: Capabilities) -> Delivery:
    """Return what delivers for a step type, over what the daemon offers."""
    return Delivery(
        clusters=capabilities.clusters,
        content=capabilities.content,
        read=capabilities.manifests,
        instance=capabilities.instance,
        adopt=capabilities.adopt,
        digest_key=capabilities.digest_key,
        renderer=capabilities.renderer,
        secrets=capabilities.secrets,
        health=capabilities.health,
        monotonic=capabilities.monotonic,
        revisions=capabilities.revisions,
    )
