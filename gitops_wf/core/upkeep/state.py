"""How a released revision stands on a target, and the edges that are worth telling.

Pure: a look's findings and the time make the next state, and each change for the worse
or the better is an edge exactly once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gitops_wf.core.backoff import backoff
from gitops_wf.core.health import Health, HealthStatus
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.upkeep.findings import Drifted, Findings

FAILED_FOR = timedelta(seconds=30)
"""How long an object must be Failed before that is told: a pod that crashes once and
comes up again is not worth a page."""

UNREADY_FOR = timedelta(minutes=10)
"""How long one may be under way, as in a rolling restart: Kubernetes' own default for
`progressDeadlineSeconds`."""

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
PAUSE_FACTOR = 3
"""Between two heals of one object: Argo CD's self-heal back-off begins so, too."""

FIGHT_AFTER = 3
"""Heals of one object that did not last, after which somebody is told who fights."""

_SHOWN = 3
"""Objects that a message names."""

KEPT_OBJECTS = 100
"""Drifted objects that are kept and shown."""


class Edge(StrEnum):
    """What a subscriber may be told of: the kind of its event."""

    DRIFT = "drift"
    HEALED = "healed"
    RENEWED = "renewed"
    DEGRADED = "degraded"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailing:
    """An object that is not well: since when, and since when it was seen Failed."""

    ref: ObjectRef
    status: HealthStatus
    since: datetime
    failed_since: datetime | None = None

    def __str__(self) -> str:
        """Return ``Deployment/shop/web: 1 of 3 replicas ready``."""
        return f"{self.ref}: {self.status.message or self.status.health}"

    def counts_from(self) -> datetime:
        """Return when it counts as degraded, if it does not get well before."""
        late = self.since + UNREADY_FOR
        if self.failed_since is None:
            return late
        return min(late, self.failed_since + FAILED_FOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heals:
    """How often an object was healed in a row, and when last.

    ``is_told`` says that somebody was told that this does not help.
    """

    ref: ObjectRef
    count: int
    last: datetime
    is_told: bool = False

    @property
    def next(self) -> datetime:
        """When it may be healed again, and is looked at again."""
        pause = backoff(
            self.count, first=FIRST_PAUSE, longest=LONGEST_PAUSE, factor=PAUSE_FACTOR
        )
        return self.last + pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """That objects are being healed: ``holder`` writes up to ``until`` at most."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepState:
    """How a released revision stands on a target; ``number`` is the revision's.

    ``degraded`` is since when it counts as degraded. ``held`` says why what drifted is
    not healed, ``problem`` why it could not be compared or healed, and ``lease`` that
    it is being healed.
    """

    number: int
    drifted: tuple[Drifted, ...] = ()
    ailing: tuple[Ailing, ...] = ()
    degraded: datetime | None = None
    heals: tuple[Heals, ...] = ()
    held: str = ""
    problem: str = ""
    lease: Lease | None = None

    def healable(
        self, now: datetime, *, self_heal: bool = True
    ) -> tuple[ObjectRef, ...]:
        """Return what may be healed now: not what was healed a moment ago.

        Without ``self_heal`` only what is outdated: it differs from no file in Git.
        """
        waiting = {heals.ref for heals in self.heals if heals.next > now}
        return tuple(
            each.ref
            for each in self.drifted
            if each.is_healable
            and (self_heal or not each.is_drift)
            and each.ref not in waiting
        )

    def look_again(self, now: datetime) -> datetime | None:
        """Return when to look again, if before the next look that is due anyway."""
        suspected = (
            [each.counts_from() for each in self.ailing]
            if self.degraded is None
            else []
        )
        soon = [*suspected, *(heals.next for heals in self.heals)]
        return min((at for at in soon if at > now), default=None)

    @property
    def is_remarkable(self) -> bool:
        """Whether there is anything to remember."""
        return replace(self, number=0) != UpkeepState(number=0)

    def is_leased(self, now: datetime) -> bool:
        """Whether somebody may be writing there: a run's attempt waits for that."""
        return self.lease is not None and now < self.lease.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One edge, and the objects that it is about with what there is to say of them."""

    edge: Edge
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The state after a look, and its edges in order."""

    state: UpkeepState
    changes: tuple[Change, ...] = ()


def settle(
    before: UpkeepState, found: Findings, now: datetime, *, calm: timedelta
) -> Settled:
    """Return what a look makes of a state.

    ``calm`` is how long a healed object must stay as it is before its next drift is a
    new one. A look that could not find out changes nothing but ``problem``.
    """
    if found.problem:
        # The first text stands: others differ by times and ports only.
        return Settled(state=replace(before, problem=before.problem or found.problem))
    state = replace(before, problem="")
    state, drift = _drift(state, found.drifted, now, calm)
    state, health = _health(state, found.health, now)
    return Settled(state=state, changes=(*drift, *health))


def healed(state: UpkeepState, refs: Iterable[ObjectRef], now: datetime) -> UpkeepState:
    """Return the state with these objects noted as healed now."""
    known = {heals.ref: heals for heals in state.heals}
    for ref in refs:
        old = known.get(ref)
        known[ref] = (
            Heals(ref=ref, count=1, last=now)
            if old is None
            else replace(old, count=old.count + 1, last=now)
        )
    return replace(state, heals=tuple(known[ref] for ref in sorted(known)))


def unhealed(state: UpkeepState, refs: Iterable[ObjectRef], why: str) -> Settled:
    """Return the state after a heal that failed for some of these objects.

    That is told once, and not again at each try; ``why`` stands as the problem.
    """
    still = {each.ref for each in state.drifted}.intersection(refs)
    new = [heals for heals in state.heals if heals.ref in still and not heals.is_told]
    state = replace(
        state,
        problem=why,
        heals=tuple(
            replace(each, is_told=True) if each.ref in still else each
            for each in state.heals
        ),
    )
    change = Change(edge=Edge.DRIFT, reason="HealFailed", message=why)
    return Settled(state=state, changes=(change,) if new else ())


def _drift(
    state: UpkeepState, found: tuple[Drifted, ...], now: datetime, calm: timedelta
) -> tuple[UpkeepState, tuple[Change, ...]]:
    known = {each.ref: each for each in state.drifted}
    drifted = tuple(
        replace(each, since=known[each.ref].since if each.ref in known else now)
        for each in sorted(found, key=lambda each: each.ref)
    )
    still = {each.ref for each in drifted}
    calmed = [
        heals
        for heals in state.heals
        if heals.ref not in still and now >= max(heals.next, heals.last + calm)
    ]
    heals = {each.ref: each for each in state.heals if each not in calmed}
    quiet = {each.ref for each in heals.values() if each.is_told}
    fights = [
        each
        for each in drifted
        if each.is_drift
        and each.ref in heals
        and heals[each.ref].count >= FIGHT_AFTER
        and each.ref not in quiet
    ]
    # Of a fight only its beginning and its end are told, not each of its rounds.
    quiet.update(each.ref for each in fights)
    changes: list[Change] = []
    new = [
        each
        for each in drifted
        if each.is_drift
        and (each.ref not in known or not known[each.ref].is_drift)
        and each.ref not in quiet
    ]
    if new:
        changes.append(Change(edge=Edge.DRIFT, reason="Drifted", message=some(new)))
    if fights:
        for each in fights:
            heals[each.ref] = replace(heals[each.ref], is_told=True)
        text = "; ".join(_fight(each, heals[each.ref]) for each in fights[:_SHOWN])
        changes.append(
            Change(
                edge=Edge.DRIFT,
                reason="HealFought",
                message=text + _more(len(fights)),
            )
        )
    renewed = [ref for ref in known if ref not in still and not known[ref].is_drift]
    if renewed:
        text = some(renewed)
        changes.append(Change(edge=Edge.RENEWED, reason="Renewed", message=text))
    gone = [
        ref
        for ref in known
        if ref not in still and ref not in quiet and ref not in renewed
    ]
    gone += [each.ref for each in calmed if each.is_told and each.ref not in gone]
    if gone:
        was_healed = any(each.ref in gone for each in state.heals)
        changes.append(
            Change(
                edge=Edge.HEALED,
                reason="Healed" if was_healed else "InSync",
                message=some(gone),
            )
        )
    state = replace(
        state,
        drifted=drifted[:KEPT_OBJECTS],
        heals=tuple(heals[ref] for ref in sorted(heals)),
        held=state.held if drifted else "",
    )
    return state, tuple(changes)


def _fight(drifted: Drifted, heals: Heals) -> str:
    who = ", ".join(drifted.managers) or "somebody"
    paths = tuple(each.path for each in drifted.fields[:1])
    what = f"{drifted.ref} ({paths[0]})" if paths else str(drifted.ref)
    return (
        f"{what}: {who} undoes it each time, {heals.count} heals in a row; it is tried"
        " again ever more seldom: stop the other one, or let `drift.ignore` name the"
        " field or the manager"
    )


_BAD = frozenset({Health.FAILED, Health.IN_PROGRESS})
_WELL = frozenset({Health.CURRENT, Health.SUSPENDED, Health.UNKNOWN})


def _health(
    state: UpkeepState, found: Mapping[ObjectRef, HealthStatus], now: datetime
) -> tuple[UpkeepState, tuple[Change, ...]]:
    known = {each.ref: each for each in state.ailing}
    ailing = tuple(
        _ailing(ref, status, known.get(ref), now)
        for ref, status in sorted(found.items())
        if status.health in _BAD
    )
    state = replace(state, ailing=ailing)
    counting = [each for each in ailing if each.counts_from() <= now]
    if state.degraded is None and counting:
        change = Change(edge=Edge.DEGRADED, reason="Degraded", message=some(counting))
        return replace(state, degraded=now), (change,)
    is_well = all(status.health in _WELL for status in found.values())
    if state.degraded is not None and is_well:
        change = Change(
            edge=Edge.RECOVERED,
            reason="Recovered",
            message=f"all {len(found)} objects are well again",
        )
        return replace(state, degraded=None), (change,)
    return state, ()


def _ailing(
    ref: ObjectRef, status: HealthStatus, known: Ailing | None, now: datetime
) -> Ailing:
    """Return it with its times: Failed once, it is so until it was well."""
    failed = known.failed_since if known else None
    if failed is None and status.health is Health.FAILED:
        failed = now
    return Ailing(
        ref=ref,
        status=status,
        since=known.since if known else now,
        failed_since=failed,
    )


def some(objects: Iterable[object]) -> str:
    """Return a few of several as text, and how many more there are."""
    texts = [str(each) for each in objects]
    return "; ".join(texts[:_SHOWN]) + _more(len(texts))


def _more(count: int) -> str:
    return f"; and {count - _SHOWN} more" if count > _SHOWN else ""
