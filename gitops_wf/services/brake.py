"""The brake of the daemon's host: pausing, resuming, and not forgetting a pause."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from gitops_wf.core.engine import Released
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.pause import TOLD_AGAIN_AFTER, Pause
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import Run
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.store import Reader, Store
from gitops_wf.services.announce import Announcer

log = structlog.get_logger()


def paused_text(reader: Reader, environment: EnvironmentId) -> str:
    """Return why nothing new may begin in an environment, or nothing."""
    return "; ".join(pause.text for pause in reader.pauses(environment))


def let_go(reader: Reader, run: Run, now: datetime) -> Released | None:
    """Return the release of a first step that no pause holds any more."""
    held = [
        step
        for step in run.steps
        if step.phase is Phase.SUSPENDED
        and step.reason == Reason.PAUSED
        and not step.is_container
    ]
    if not held or reader.pauses(run.subject.environment):
        return None
    return Released(step=held[0].name, at=now, message="the pause is over")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """Pauses and resumes, beside the daemon or without it.

    Whatever is changed is one transaction: the pause, its event, and the time at
    which the daemon looks again, which is now. ``by`` is who asks. ``announcer`` leaves
    what is told to the daemon.
    """

    store: Store
    clock: Clock
    by: str
    announcer: Announcer

    def pause(
        self, environments: Iterable[EnvironmentId | None], reason: str
    ) -> tuple[Pause, ...]:
        """Stop new attempts; None stands for all environments, now and later."""
        now = self.clock.now()
        made = []
        with self.store.transaction() as transaction:
            for environment in environments:
                pause = Pause(
                    environment=environment,
                    reason=reason,
                    by=self.by,
                    since=now,
                    told=now,
                )
                transaction.save_pause(pause)
                event = _event("Paused", pause.text, environment, now)
                self.announcer.announce(transaction, event)
                for each in _meant(transaction, environment):
                    transaction.set_due(each, now)  # what is pending is to say why
                made.append(pause)
        return tuple(made)

    def resume(
        self, environments: Iterable[EnvironmentId | None], reason: str = ""
    ) -> tuple[EnvironmentId | None, ...]:
        """End pauses; return those that there were. None is the one of all."""
        now = self.clock.now()
        ended = []
        with self.store.transaction() as transaction:
            for environment in environments:
                if not transaction.delete_pause(environment):
                    continue
                what = "everything is resumed" if environment is None else "resumed"
                why = f": {reason}" if reason else ""
                text = f"{what} by {self.by}{why}"
                event = _event("Resumed", text, environment, now)
                self.announcer.announce(transaction, event)
                for each in _meant(transaction, environment):
                    transaction.set_due(each, now)
                ended.append(environment)
        return tuple(ended)


@dataclass(slots=True, kw_only=True)
class Reminder:
    """The daemon's eye on pauses: logs what others did, tells again what stays."""

    store: Store
    clock: Clock
    announcer: Announcer
    _known: dict[EnvironmentId | None, Pause] = field(default_factory=dict)

    def act(self) -> datetime | None:
        """Log what is new, tell what is forgotten; return when to tell it next."""
        with self.store.read() as reader:
            pauses = reader.pauses()
        self._log(pauses)
        now = self.clock.now()
        for pause in pauses:
            if pause.is_forgotten(now):
                self._tell(pause, now)
        return min((p.told + TOLD_AGAIN_AFTER for p in pauses), default=None)

    def _log(self, pauses: Sequence[Pause]) -> None:
        found = {pause.environment: pause for pause in pauses}
        for key, pause in found.items():
            known = self._known.get(key)
            if known is None or known.since != pause.since:
                name = key or "all"
                log.warning(
                    "pause.began", environment=name, by=pause.by, reason=pause.reason
                )
        for key in self._known.keys() - found.keys():
            log.info("pause.ended", environment=key or "all")
        self._known = found

    def _tell(self, pause: Pause, now: datetime) -> None:
        with self.store.transaction() as transaction:
            if pause not in transaction.pauses():
                return  # it ended, or began anew, in between
            transaction.save_pause(replace(pause, told=now))
            text = f"still {pause.text}"
            event = _event("StillPaused", text, pause.environment, now)
            self.announcer.announce(transaction, event)
        log.warning("pause.remains", environment=pause.environment or "all")


def _meant(reader: Reader, environment: EnvironmentId | None) -> list[EnvironmentId]:
    if environment is not None:
        return [environment]
    return [record.id for record in reader.environments()]


def _event(
    reason: str, message: str, environment: EnvironmentId | None, now: datetime
) -> Event:
    is_over = reason == "Resumed"
    return Event(
        at=now,
        kind="resumed" if is_over else "paused",
        reason=reason,
        message=message,
        type=EventType.NORMAL if is_over else EventType.WARNING,
        environment=environment,
    )
