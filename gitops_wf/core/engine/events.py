"""What happens to a run, as frozen values; replayed in order they give the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.core.identifiers import StepName
from gitops_wf.core.phases import Phase
from gitops_wf.core.run import Remind, StepObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An attempt (look 0) or a look was put in the queue, to begin at ``due``."""

    step: StepName
    attempt: int
    look: int
    due: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """A worker began it; its token fences off every other."""

    step: StepName
    attempt: int
    look: int
    token: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What the worker found; only the holder of the token may say so."""

    step: StepName
    token: str
    phase: Phase
    at: datetime
    reason: str = ""
    message: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    memo: Mapping[str, Any] = field(default_factory=dict)
    objects: tuple[StepObject, ...] = ()
    retry_after: timedelta | None = None
    is_final: bool = False
    digest: str = ""
    remind: Remind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Enough people approved, or the waiting time is over (``by`` is empty)."""

    step: StepName
    at: datetime
    by: tuple[str, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """It was told again that the step waits for an approval."""

    step: StepName
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A group began; its sub-steps may follow."""

    step: StepName
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """A step ended without a worker: skipped, timed out, aborted, or a group's sum."""

    step: StepName
    phase: Phase
    reason: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRequested:
    """The run must end: superseded, rejected, aborted, out of time."""

    phase: Phase
    reason: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Every step has ended, and the run with them."""

    phase: Phase
    reason: str
    message: str
    at: datetime


EngineEvent = (
    Asked
    | Began
    | Reported
    | Released
    | Reminded
    | Opened
    | Concluded
    | EndRequested
    | Ended
)
