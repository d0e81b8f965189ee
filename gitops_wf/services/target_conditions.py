"""How targets stand: whether they answer, and when they were last compared with.

Kept, shown, and told when it changes: once for an API server, however many targets are
on it and environments are delivered there. What is noted often is stored now and then.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from gitops_wf.core.durations import format_duration
from gitops_wf.core.errors import cut
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.reach import Reach
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.store import Reader, Store, TargetRecord
from gitops_wf.services.announce import Announcer
from gitops_wf.services.reaching import Reaching

log = structlog.get_logger()

KEEP_EVERY = timedelta(seconds=15)
"""How old what is stored may get while targets are asked."""

_TEXT = 1000

_IN_VAIN = "requests wait in vain; is the API server overloaded, or its etcd?"


@dataclass(slots=True, kw_only=True)
class TargetConditions:
    """The conditions of all targets that this process asks.

    ``targets`` returns those of the config.
    """

    store: Store
    clock: Clock
    announcer: Announcer
    reaching: Reaching
    targets: Callable[[], Sequence[TargetName]]
    _compared: dict[tuple[EnvironmentId, TargetName], datetime] = field(
        default_factory=dict
    )
    _away: frozenset[str] = frozenset()
    _reaches: Mapping[str, Reach] = field(default_factory=dict)
    _kept: datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def compared(self, environment: EnvironmentId, target: TargetName) -> None:
        """Note that a released revision was compared, and that it was found out."""
        with self._lock:
            self._compared[environment, target] = self.clock.now()

    def act(self) -> datetime | None:
        """Tell what has changed, and store what was noted.

        Errors: StoreUnavailableError; then it is told and stored later.
        """
        now = self.clock.now()
        reaches = self.reaching.reaches()
        away = frozenset(s for s, reach in reaches.items() if reach.away_since(now))
        if self._kept is not None and away == self._away:
            is_new = bool(self._compared) or reaches != self._reaches
            if now - self._kept < KEEP_EVERY or not is_new:
                return None
        with self._lock:
            compared, self._compared = self._compared, {}
        try:
            self._keep(reaches, compared, now)
        except BaseException:
            with self._lock:
                self._compared = {**compared, **self._compared}
            raise
        self._away, self._reaches, self._kept = away, reaches, now
        return None

    def _keep(
        self,
        reaches: Mapping[str, Reach],
        compared: Mapping[tuple[EnvironmentId, TargetName], datetime],
        now: datetime,
    ) -> None:
        last: dict[TargetName, datetime] = {}
        for (_, target), at in compared.items():
            last[target] = max(at, last.get(target, at))
        servers: dict[str, list[TargetName]] = {}
        for target in self.targets():
            servers.setdefault(self.reaching.server_of(target), []).append(target)
        events: list[Event] = []
        with self.store.transaction() as transaction:
            known = transaction.targets()
            for server, targets in servers.items():
                before = [known.get(t) or TargetRecord(name=t) for t in targets]
                reach = reaches.get(server, Reach())
                after = [_after(b, reach, last.get(b.name), now) for b in before]
                for record in set(after).difference(before):
                    transaction.save_target(record)
                for event in _events(transaction, before, after, now):
                    self.announcer.announce(transaction, event)
                    events.append(event)
            if self._kept is None:
                for target in known.keys() - set(self.targets()):
                    transaction.forget_target(target)
            for (environment, target), at in compared.items():
                transaction.save_compared(environment, target, at)
        for event in events:
            about = log.bind(target=event.metadata["target"], message=event.message)
            if event.type is EventType.WARNING:
                about.warning("target.unreachable")
            else:
                about.info("target.recovered")


def _after(
    record: TargetRecord, reach: Reach, compared: datetime | None, now: datetime
) -> TargetRecord:
    """Return what is known by now; what an earlier process told stays until then."""
    record = replace(
        record,
        answered=reach.answered or record.answered,
        compared=compared or record.compared,
    )
    since = reach.away_since(now)
    if since is not None:
        error = cut(reach.error, _TEXT) or record.error or _IN_VAIN
        return replace(record, away=record.away or since, error=error)
    if reach.answered is not None and not reach.is_failing(now):
        return replace(record, away=None, error="")
    return record


def _events(
    reader: Reader,
    before: Sequence[TargetRecord],
    after: Sequence[TargetRecord],
    now: datetime,
) -> Iterator[Event]:
    """Yield one event for a server that went away, or came back."""
    pairs = list(zip(before, after, strict=True))
    gone = [new for old, new in pairs if new.away and not old.away]
    back = [old for old, new in pairs if old.away and not new.away]
    if gone:
        since = gone[0].away
        text = (
            f"no answer since {since:%H:%M:%S} UTC: {gone[0].error};"
            f" {_affected(reader, gone)}"
        )
        yield _event("targetUnreachable", gone, text, now)
    if back:
        first, answered = back[0].away or now, after[0].answered or now
        away = timedelta(seconds=int((answered - first).total_seconds()))
        text = f"answers again, after {format_duration(away)}"
        yield _event("targetRecovered", back, text, now)


def _event(
    kind: str, records: Sequence[TargetRecord], text: str, now: datetime
) -> Event:
    names = cut(", ".join(record.name for record in records), 128)
    is_bad = kind == "targetUnreachable"
    return Event(
        at=now,
        kind=kind,
        reason="Unreachable" if is_bad else "Recovered",
        message=f"target {names}: {text}",
        type=EventType.WARNING if is_bad else EventType.NORMAL,
        metadata={"target": names},
    )


def _affected(reader: Reader, records: Sequence[TargetRecord]) -> str:
    """Say what that holds up."""
    names = {record.name for record in records}
    count = sum(
        not names.isdisjoint(each.definition.targets)
        for each in reader.environments()
        if each.definition is not None and not each.is_removed
    )
    what = "1 environment is" if count == 1 else f"{count} environments are"
    return f"{what} delivered there: no drift is found, and no release goes on"
