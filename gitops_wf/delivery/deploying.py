"""Carrying a delivery through: wave after wave, until every object is as Git wants it.

What deploy steps share. A wave is applied once all of the wave before is healthy: by
the attempt itself, or by the look that sees it. What the memo says of it was reported;
whoever is killed before that applies one wave again, which changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from gitops_wf.core.backoff import FIRST_LOOK, LAST_LOOK, next_look
from gitops_wf.core.changeset import Change, summary
from gitops_wf.core.errors import DefinitionError, TransientError
from gitops_wf.core.health import Health
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import StepObject
from gitops_wf.delivery.claims import ObjectClaimedError
from gitops_wf.delivery.delivery import Delivery
from gitops_wf.delivery.names import CLAIMED
from gitops_wf.delivery.observing import DONE, ObjectHealth
from gitops_wf.delivery.orders import Order, Rendered
from gitops_wf.delivery.progress import (
    after_look,
    after_prune,
    after_wave,
    hooks_to_delete,
    next_wave,
)
from gitops_wf.delivery.yielding import awaiting, patience_left, waiting_since
from gitops_wf.ports.runner import StepContext, StepResult

SHARED_AGE = timedelta(seconds=2)
"""How old the LIST of a look may be: environments that look together share it."""

CLAIM_PATIENCE = timedelta(minutes=1)
"""How long an object may be another environment's: a commit that moves it makes a
revision of both, and either may come first."""

CLAIM_LOOK = timedelta(seconds=5)
SHOWN = 3
OUTPUT_OBJECTS = 200
TOLD_OBJECTS = 50
"""Stored with the step's run, for people; expressions see more while it is written."""

GOES = "hook-delete-policy: succeeded"
_AWAY = frozenset({Health.NOT_FOUND, Health.TERMINATING})


class Deployment:
    """Applies wave after wave; looks until every object is healthy.

    ``waits`` says whether health is awaited, ``completes`` whether the end of it is
    that of the step.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def attempt(
        self,
        context: StepContext,
        order: Order,
        *,
        waits: bool = True,
        completes: bool = True,
    ) -> StepResult:
        """Render, apply, prune, and look at once."""
        return guarded(
            context,
            lambda: self._carried_on(
                context, order, {}, waits=waits, completes=completes
            ),
        )

    def look(
        self,
        context: StepContext,
        order: Order,
        *,
        waits: bool = True,
        completes: bool = True,
    ) -> StepResult:
        """Look at the objects, and apply the next wave when its time has come.

        The last look records that the step completed.
        """
        memo = dict(context.memo)
        if memo.get("claimed"):
            return self.attempt(context, order, waits=waits, completes=completes)
        try:
            return guarded(
                context,
                lambda: self._carried_on(
                    context, order, memo, waits=waits, completes=completes
                ),
            )
        except TransientError as exc:
            if not next_wave(memo):
                raise
            return StepResult(
                phase=Phase.RUNNING,
                reason=Reason.EXECUTION_ERROR,
                message=f"{_place(memo)}{exc}",
                retry_after=exc.retry_after or LAST_LOOK,
                memo=memo,
            )

    def _carried_on(
        self,
        context: StepContext,
        order: Order,
        memo: dict[str, Any],
        *,
        waits: bool,
        completes: bool,
    ) -> StepResult:
        """Apply and look, until something has to be waited for.

        Only what a stored memo says of hooks is acted on: one that was deleted could
        not be asked again whether it had succeeded.
        """
        memo = self._without_hooks(order, memo)
        # The first look may be of another process, its list from before the apply.
        max_age = SHARED_AGE if context.look > 1 else timedelta()
        if memo.get("holding") or memo.get("awaited"):
            memo = waiting_since(memo, context.now)
            yields = patience_left(memo, context.now) > timedelta()
            changes = self._delivery.prune(order, waits=waits, yields=yields)
            memo = after_prune(memo, changes)
        rendered: Rendered | None = None
        while True:
            if memo:
                found = self._found(order, memo, max_age) if waits else []
                memo = after_look(memo, found)
                if not next_wave(memo) or _is_held(found):
                    judged = self._judged(context, order, memo, found, waits=waits)
                    if completes and judged.phase is Phase.SUCCEEDED:
                        inventory = self._delivery.complete(order)
                        judged = replace(judged, inventory=inventory)
                    return replace(judged, digest=str(memo["digest"]))
            rendered = rendered or self._delivery.render(order)
            number = next_wave(memo)
            changes = self._delivery.deliver(
                order, rendered, number, waits=waits, yields=True
            )
            runs = self._delivery.runs(order)
            memo = after_wave(memo, rendered, number, changes, runs=runs)
            max_age = timedelta()

    def _found(
        self, order: Order, memo: Mapping[str, Any], max_age: timedelta
    ) -> list[ObjectHealth]:
        """Return how the objects are: of this wave, or at its end of all."""
        found = self._delivery.observe(
            order.id,
            order.target,
            steps=[order.step],
            objects=set(memo["wave"]) if next_wave(memo) else None,
            max_age=max_age,
        )
        passed, going = memo["passed"], {*memo["leaving"], *memo["pending"]}
        return [
            each
            for each in found
            # What is not to be there any more may take its time to go.
            if str(each.ref) not in going
            # What runs once may be gone by now: deleted by hand, or by the cluster.
            and not (str(each.ref) in passed and each.status.health in _AWAY)
        ]

    def _without_hooks(self, order: Order, memo: dict[str, Any]) -> dict[str, Any]:
        """Delete the hooks that succeeded, where their policy says so.

        Only when all is done: what a Job runs as may be a hook, too, and Helm's are of
        several phases at once.
        """
        done = hooks_to_delete(memo) if memo.get("ending") else []
        if not done:
            return memo
        changes = self._delivery.take_away(order, done)
        told = {ref: [str(Change.DELETED), GOES] for ref in done}
        for entry in changes.entries:
            if entry.change is Change.SKIPPED:
                told[str(entry.ref)] = [str(entry.change), entry.message]
        return {**after_prune(memo, changes), "leaving": memo["leaving"] | told}

    def _judged(
        self,
        context: StepContext,
        order: Order,
        memo: dict[str, Any],
        found: Sequence[ObjectHealth],
        *,
        waits: bool,
    ) -> StepResult:
        outputs, objects = _outputs(memo, found), _told(memo, found)
        failed = [each for each in found if each.status.health is Health.FAILED]
        if failed:
            return StepResult(
                phase=Phase.FAILED,
                reason=Reason.HEALTH_CHECK_FAILED,
                message=f"{_place(memo)}{_some(failed)}",
                inventory=self._delivery.inventory(order.id, order.target),
                outputs=outputs,
                objects=objects,
                memo=memo,
            )
        waiting = [each for each in found if each.status.health not in DONE]
        if waiting:
            return StepResult(
                phase=Phase.RUNNING,
                message=f"{_place(memo)}{_changes(memo)}; waiting for {_some(waiting)}",
                outputs=outputs,
                objects=objects,
                retry_after=next_look(context.look),
                memo=memo,
            )
        health = _healthy(found) if waits else "health not awaited"
        then, again = "", next_look(context.look)
        if memo["awaited"]:
            then = awaiting(memo["awaited"], len(memo["pending"]))
            again = min(again, patience_left(memo, context.now))
        elif memo["holding"]:
            names = _listed(memo["holding"])
            then = f"waiting for {names} to be gone: the waves before are deleted then"
        elif done := hooks_to_delete(memo):
            then, again = f"deleting {_listed(done)} ({GOES})", FIRST_LOOK
        if then:
            return StepResult(
                phase=Phase.RUNNING,
                message=f"{_changes(memo)}; {health}; {then}",
                outputs=outputs,
                objects=objects,
                retry_after=again,
                memo={**memo, "ending": not memo["awaited"] and not memo["holding"]},
            )
        return StepResult(
            phase=Phase.SUCCEEDED,
            message=f"{_changes(memo)}; {health}",
            outputs=outputs,
            objects=objects,
            memo=memo,
        )


def guarded(context: StepContext, act: Callable[[], StepResult]) -> StepResult:
    """Return what an act gives, or what its errors come to."""
    try:
        return act()
    except DefinitionError as exc:
        return StepResult(
            phase=Phase.FAILED,
            reason=Reason.INVALID_DEFINITION,
            message=str(exc),
            is_final=True,
        )
    except ObjectClaimedError as exc:
        return _claimed(context, exc)


def _is_held(found: Iterable[ObjectHealth]) -> bool:
    """Whether the next wave has to wait, or never comes."""
    return any(each.status.health not in DONE for each in found)


def _changes(memo: Mapping[str, Any]) -> str:
    return summary({Change(key): n for key, n in memo["counts"].items()})


def _place(memo: Mapping[str, Any]) -> str:
    """Return where in the waves the step is; nothing where there is only one."""
    applied, waves = memo["applied"], memo["waves"]
    return f"wave {applied} of {waves}: " if waves > 1 else ""


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


def _outputs(memo: Mapping[str, Any], found: Sequence[ObjectHealth]) -> dict[str, Any]:
    """Return what expressions see: each object with its change, health and reason."""
    return {
        "changes": _changes(memo),
        "digest": memo["digest"],
        "objects": [asdict(each) for each in _objects(memo, found)][:OUTPUT_OBJECTS],
    }


def _told(
    memo: Mapping[str, Any], found: Sequence[ObjectHealth]
) -> tuple[StepObject, ...]:
    """Return the objects that are worth a person's look, the unhealthy first."""
    done = {str(health) for health in DONE} | {""}
    telling = [
        each
        for each in _objects(memo, found)
        if each.health not in done or each.change != Change.UNCHANGED
    ]
    return tuple(sorted(telling, key=lambda each: each.health in done))[:TOLD_OBJECTS]


def _objects(
    memo: Mapping[str, Any], found: Sequence[ObjectHealth]
) -> Iterator[StepObject]:
    """Yield each object as it is, then those whose health does not count (now)."""
    unchanged = [str(Change.UNCHANGED), ""]
    for each in found:
        change, why = memo["changed"].get(str(each.ref), unchanged)
        texts = (why, each.status.message)
        yield StepObject(
            object=str(each.ref),
            change=change,
            health=str(each.status.health),
            message="; ".join(text for text in texts if text),
        )
    seen = {str(each.ref) for each in found}
    for ref, (change, why) in (memo["changed"] | memo["leaving"]).items():
        if ref not in seen:
            yield StepObject(object=ref, change=change, message=why)


def _some(objects: Sequence[ObjectHealth]) -> str:
    text = "; ".join(str(each) for each in objects[:SHOWN])
    more = len(objects) - SHOWN
    return f"{text}; and {more} more" if more > 0 else text


def _listed(refs: Sequence[str]) -> str:
    more = len(refs) - SHOWN
    text = ", ".join(refs[:SHOWN])
    return f"{text} and {more} more" if more > 0 else text


def _healthy(found: Sequence[ObjectHealth]) -> str:
    suspended = [each for each in found if each.status.health is Health.SUSPENDED]
    text = f"{len(found) - len(suspended)} healthy"
    return f"{text}, {len(suspended)} suspended" if suspended else text
