"""A run: one execution of a workflow for a revision, as a frozen value.

Everything that decides what happens next stands in it, so that a restarted
daemon, or another replica, goes on from the stored value alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.core.identifiers import EnvironmentId, RunId, Sha, StepName, TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.core.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class StepObject:
    """One object that a step changed, left alone, or waits for.

    ``change`` is a word of core.changeset; ``health`` is empty where it does not count.
    """

    object: str
    change: str
    health: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """When one step's wait for approval is told again; None is as for all others.

    ``after`` is until the first time, ``interval`` from one to the next; ``most`` 0 is
    never.
    """

    after: timedelta | None = None
    interval: timedelta | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """One execution of a step in a run.

    ``attempt`` counts tries begun or asked for, ``look`` the glances of that try;
    ``is_asked`` says that one of them is in the queue and ``token`` that it is
    being carried out, and by whom (the fencing token). ``due`` is when the one in
    the queue may begin, or when a suspended step goes on by itself. ``is_unknown``
    says that the last report could not find out how it stands. ``memo`` is what the
    runner wants to be given again; ``released`` names who let it pass a wait for
    approval; ``reminders`` counts how often it was told again that it waits,
    ``reminded`` is when last, and ``remind`` is when it is, where the step itself
    says so. ``objects`` are the most telling of those that it
    delivers, ``digest`` is of all of them, as its runner said last: an approval may
    pin it. A container (a group, or a step on several targets) does nothing itself:
    its phase sums up its sub-step runs.
    """

    name: StepName
    type: str
    parent: StepName | None = None
    target: TargetName | None = None
    is_container: bool = False
    phase: Phase = Phase.PENDING
    reason: str = ""
    message: str = ""
    attempt: int = 0
    look: int = 0
    failures: int = 0
    is_asked: bool = False
    is_unknown: bool = False
    token: str = ""
    due: datetime | None = None
    deadline: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    memo: Mapping[str, Any] = field(default_factory=dict)
    released: tuple[str, ...] = ()
    reminders: int = 0
    reminded: datetime | None = None
    remind: Remind | None = None
    objects: tuple[StepObject, ...] = ()
    digest: str = ""

    @property
    def is_waiting_for_approval(self) -> bool:
        """Whether only a decision, or its deadline, moves it on."""
        is_suspended = self.phase is Phase.SUSPENDED and not self.is_container
        return is_suspended and self.due is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why a run ends before its steps do, since when, and what it ends as."""

    phase: Phase
    reason: str
    message: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a run is about, as its expressions and messages see it."""

    environment: EnvironmentId
    number: int
    commit: Sha
    inputs: str
    rollback: bool = False
    changed: tuple[str, ...] = ()
    source: str = ""
    branch: str = ""
    author: str = ""
    subject: str = ""
    application: str = ""
    targets: tuple[TargetName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a workflow for a revision.

    ``ran`` is the running time before ``running_since``; a run that waits for
    approval has no ``running_since``, so the workflow's timeout stands still.
    ``seq`` grows with each stored change.
    """

    id: RunId
    ordinal: int
    subject: Subject
    workflow: Workflow
    steps: tuple[StepRun, ...]
    phase: Phase = Phase.PENDING
    reason: str = ""
    message: str = ""
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    running_since: datetime | None = None
    ran: timedelta = timedelta()
    ending: Ending | None = None
    seq: int = 0

    def step(self, name: StepName) -> StepRun:
        """Return the run of a step; a name that is not there is our bug."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    def children(self, name: StepName) -> tuple[StepRun, ...]:
        """Return the sub-step runs of a group, in declared order."""
        return tuple(step for step in self.steps if step.parent == name)

    @property
    def waiting(self) -> tuple[StepRun, ...]:
        """The steps that wait for an approval."""
        return tuple(step for step in self.steps if step.is_waiting_for_approval)

    @property
    def is_waiting_for_approval(self) -> bool:
        """Whether nothing but a decision, or a deadline, moves the run on."""
        return self.phase is Phase.SUSPENDED and bool(self.waiting)
