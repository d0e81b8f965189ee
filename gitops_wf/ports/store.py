"""The store: rows of revisions, runs, decisions, messages and events."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gitops_wf.core.decision import Decision
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RepositoryName,
    RunId,
    Sha,
    StepName,
    TargetName,
)
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.message import Delivery
from gitops_wf.core.notifications.notices import Notice
from gitops_wf.core.pacing import Pace
from gitops_wf.core.pause import Pause
from gitops_wf.core.phases import Phase
from gitops_wf.core.queue import Queued
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run
from gitops_wf.core.upkeep.state import UpkeepState


class StoreUnavailableError(TransientError):
    """The store can be neither read nor written now: nothing of it was changed.

    It is away, busy, full or read-only. Whoever must not lose what it has done tries
    again until somebody has mended that; the store itself says so, once. `reason` is
    the PascalCase cause.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreCorruptError(TerminalError):
    """The store is damaged: no try helps, and nothing more may be written to it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="StoreCorrupt")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRecord:
    """How far a repository's branch was walked, and how the last poll went.

    ``position`` counts walked first-parent commits; ``failures`` polls in a row.
    """

    name: RepositoryName
    url: str
    branch: str
    cursor: Sha | None = None
    position: int = 0
    condition: str = ""
    failures: int = 0
    polled: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRecord:
    """How a target stood when that was noted last.

    ``answered`` is when it last answered anything, ``compared`` when a released
    revision was last compared with it, and found out about. ``away`` is since when it
    does not answer, where that was told, with ``error``.
    """

    name: TargetName
    answered: datetime | None = None
    compared: datetime | None = None
    away: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRecord:
    """An environment as it stands at the cursor.

    ``inputs`` is the digest at the cursor, ``paths`` what the digest is made of
    (folder first, then watched paths), ``folders`` every folder that it ever had,
    newest first. ``conditions`` are what is wrong with it beside its revisions,
    by kind (``ApprovalsUnreadable``, …). ``definition`` is the last
    readable one. ``is_removed`` says that its folder is gone, ``removed`` since when.
    ``is_returning`` says that the store knows less of it than Git and its targets do:
    until these were read it has no revision of its own. ``barred`` are inputs that
    were rejected before.
    """

    id: EnvironmentId
    repository: RepositoryName
    name: EnvironmentName
    folder: str
    folders: tuple[str, ...] = ()
    inputs: str = ""
    paths: tuple[str, ...] = ()
    definition: Environment | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)
    is_removed: bool = False
    removed: datetime | None = None
    last_number: int = 0
    is_returning: bool = False
    barred: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An environment and its newest revision; no phase and commit before the first.

    ``is_suspended`` says that environment.yaml lets no run begin.
    """

    environment: EnvironmentId
    phase: Phase | None
    commit: str
    is_suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingOn:
    """A revision that has not ended, and that waits for nobody's decision."""

    environment: EnvironmentId
    number: int
    commit: Sha


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTopic:
    """Notices of one topic that wait to be told together: the first and the last."""

    topic: str
    first: datetime
    last: datetime


Forgotten = Mapping[str, int]
"""How many rows were deleted, by what they were: ``runs``, ``events``, …"""


class Reader(Protocol):
    """What can be asked of the store; lists come newest first unless said."""

    def repository(self, name: RepositoryName) -> RepositoryRecord | None:
        """Return a repository's record."""

    def repositories(self) -> Sequence[RepositoryRecord]:
        """Return all repositories, by name."""

    def environment(self, environment: EnvironmentId) -> EnvironmentRecord | None:
        """Return an environment's record."""

    def environments(
        self, repository: RepositoryName | None = None
    ) -> Sequence[EnvironmentRecord]:
        """Return all environments (of a repository), by id."""

    def followers(self, repository: RepositoryName) -> Sequence[EnvironmentRecord]:
        """Return the environments that may wait for a repository's (`after`).

        Those of it that wait for any, and those that wait for other repositories'.
        """

    def revision(self, environment: EnvironmentId, number: int) -> Revision | None:
        """Return a revision."""

    def revisions(
        self,
        environment: EnvironmentId | None = None,
        *,
        limit: int | None = None,
    ) -> Sequence[Revision]:
        """Return revisions, newest first."""

    def revision_for(self, environment: EnvironmentId, inputs: str) -> Revision | None:
        """Return the one that says what going back to an inputs digest comes to.

        A barred one, else the newest that Succeeded; None where neither had it.
        """

    def released(self, environment: EnvironmentId) -> Revision | None:
        """Return the last one that Succeeded, so marked."""

    def unfinished_revisions(
        self, environment: EnvironmentId | None = None
    ) -> Sequence[Revision]:
        """Return the revisions that have not ended (of all), oldest first."""

    def line(self, environment: EnvironmentId) -> Sequence[Queued]:
        """Return the same revisions as the queue's rules see them, oldest first."""

    def going_on(self, repository: RepositoryName) -> Sequence[GoingOn]:
        """Return what is Pending or Running of a repository, by environment."""

    def run(self, run: RunId) -> Run | None:
        """Return a run."""

    def active_run(self, environment: EnvironmentId) -> Run | None:
        """Return the environment's one run that has not ended."""

    def active_runs(self, repository: RepositoryName | None = None) -> Iterable[Run]:
        """Yield all runs that have not ended (of a repository), few at a time."""

    def runs(
        self,
        environment: EnvironmentId | None = None,
        *,
        number: int | None = None,
        limit: int | None = None,
    ) -> Sequence[Run]:
        """Return runs, newest first."""

    def due(self, now: datetime) -> Sequence[EnvironmentId]:
        """Return the environments that have something due by now, first due first."""

    def next_due(self) -> datetime | None:
        """Return when the next thing is due, if anything is."""

    def decisions(
        self,
        environment: EnvironmentId | None = None,
        *,
        number: int | None = None,
        limit: int | None = None,
    ) -> Sequence[Decision]:
        """Return decisions, newest first."""

    def deliveries(self, run: RunId, step: StepName) -> Sequence[Delivery]:
        """Return the messages of a step run, oldest first."""

    def delivery(self, delivery: int) -> Delivery | None:
        """Return one outbox row."""

    def open_topics(self) -> Sequence[OpenTopic]:
        """Return the topics with notices that no message says yet, in any order."""

    def events(
        self,
        environment: EnvironmentId | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        first: bool = False,
    ) -> Sequence[Event]:
        """Return events, oldest first, from past an id on.

        Of more than ``limit`` the last ones, or with ``first`` the first.
        """

    def inventory(self, environment: EnvironmentId, target: str) -> Inventory | None:
        """Return the store's copy of an inventory: for display, not the truth."""

    def inventories(self, environment: EnvironmentId) -> Mapping[TargetName, Inventory]:
        """Return the store's copies of all inventories of an environment."""

    def upkeep(self, environment: EnvironmentId) -> Mapping[TargetName, UpkeepState]:
        """Return how an environment's released revision stands, by target."""

    def upkeeps(self) -> Mapping[EnvironmentId, Mapping[TargetName, UpkeepState]]:
        """Return the same of all environments that anything is known of."""

    def compared(self, environment: EnvironmentId) -> Mapping[TargetName, datetime]:
        """Return when its released revision was last compared with each target."""

    def targets(self) -> Mapping[TargetName, TargetRecord]:
        """Return how the targets stand that were asked anything, by name."""

    def pauses(self, environment: EnvironmentId | None = None) -> Sequence[Pause]:
        """Return all pauses, or those that hold an environment; that of all first."""

    def standings(self) -> Sequence[Standing]:
        """Return how each environment that is there stands, by id; for the counts."""

    def active_phases(self) -> Mapping[Phase, int]:
        """Count the runs that have not ended, by phase."""

    def queued(self) -> int:
        """Count the attempts of steps that were asked for and have not begun."""

    def numbers(self, environment: EnvironmentId) -> Sequence[int]:
        """Return the numbers of an environment's revisions."""

    def crowded(
        self, *, revisions: int, runs: int, events: int
    ) -> Sequence[EnvironmentId | None]:
        """Return the environments that have more than so many of anything.

        None stands for the events of no environment. Of decisions that name no
        revision as many count as too many as of revisions.
        """

    def ended_beyond(
        self, environment: EnvironmentId, newest: int, *, after: int, limit: int
    ) -> Sequence[Revision]:
        """Return the ended revisions beyond the newest so many, oldest first.

        Only those with numbers ``after`` this one.
        """

    def runs_beyond(
        self, environment: EnvironmentId, newest: int, *, limit: int
    ) -> Sequence[RunId]:
        """Return the ended runs beyond the newest so many, oldest first."""


class Transaction(Reader, Protocol):
    """A unit of work: all of it is stored, or nothing."""

    def lock_environment(self, environment: EnvironmentId) -> bool:
        """Hold the environment's row until the end; False where it is not there.

        The first statement of whatever changes its revisions, runs or decisions:
        the same on SQLite (whose transactions begin with the write lock) and
        PostgreSQL (where the row's lock is taken here).
        """

    def save_repository(self, record: RepositoryRecord) -> None:
        """Insert or update."""

    def save_environment(self, record: EnvironmentRecord) -> None:
        """Insert or update."""

    def set_due(self, environment: EnvironmentId, due: datetime | None) -> None:
        """Say when the environment must be looked at again, whatever happens."""

    def save_revision(self, revision: Revision) -> None:
        """Insert or update, by environment and number."""

    def save_run(self, run: Run) -> None:
        """Insert, or update where the stored seq is one less than the run's.

        Errors: InvalidTransitionError where it is not, or where the environment
        already has another run that has not ended (a unique index says so).
        """

    def save_decision(self, decision: Decision) -> Decision:
        """Insert (id 0) or update; the id comes back.

        The same environment, key and person is one row: an insert of it again
        returns the stored one unchanged.
        """

    def add_event(self, event: Event) -> None:
        """Append an event."""

    def save_delivery(self, delivery: Delivery) -> Delivery:
        """Insert (id 0) or update; the id comes back.

        The same key is one row: an insert of it again returns the stored one
        unchanged.
        """

    def save_notice(self, notice: Notice) -> None:
        """Insert (id 0); one whose key was stored before is left as it is."""

    def take_notices(self, topic: str) -> Sequence[Notice]:
        """Return a topic's notices that no message says yet, oldest first.

        They are the caller's until the end: what another takes is left out.
        """

    def tell_notices(self, notices: Sequence[Notice], delivery: int) -> None:
        """Say which message says them; 0 where none ever will."""

    def pace(self, receiver: str) -> Pace:
        """Return how fast a receiver was sent to, and hold it until the end."""

    def save_pace(self, receiver: str, pace: Pace, now: datetime) -> None:
        """Insert or update."""

    def save_inventory(
        self, environment: EnvironmentId, target: str, inventory: Inventory
    ) -> None:
        """Replace the store's copy."""

    def save_upkeep(
        self, environment: EnvironmentId, target: TargetName, state: UpkeepState
    ) -> None:
        """Insert or update, by environment and target."""

    def forget_upkeep(self, environment: EnvironmentId, target: TargetName) -> None:
        """Forget how an environment stands on a target: nobody looks any more."""

    def save_compared(
        self, environment: EnvironmentId, target: TargetName, at: datetime
    ) -> None:
        """Note when a released revision was last compared with a target."""

    def save_target(self, record: TargetRecord) -> None:
        """Insert or update, by name."""

    def forget_target(self, target: TargetName) -> None:
        """Forget how a target stood: the config has it no more."""

    def save_pause(self, pause: Pause) -> None:
        """Insert or update, by environment; None is the one of all."""

    def delete_pause(self, environment: EnvironmentId | None) -> bool:
        """End a pause; say whether there was one."""

    def forget_revisions(
        self, environment: EnvironmentId, numbers: Sequence[int]
    ) -> Forgotten:
        """Delete revisions with their decisions, runs and what hangs on those."""

    def forget_runs(self, runs: Sequence[RunId]) -> Forgotten:
        """Delete runs with their steps, and their messages that have ended."""

    def forget_events(
        self, environment: EnvironmentId | None, newest: int, *, limit: int
    ) -> Forgotten:
        """Delete events beyond the newest so many: the oldest, up to a limit."""

    def forget_loose_decisions(
        self, environment: EnvironmentId, newest: int, *, limit: int
    ) -> Forgotten:
        """Delete decisions that name no revision, beyond the newest so many."""

    def forget_messages(self, before: datetime, *, limit: int) -> Forgotten:
        """Delete messages that ended before, less those of runs that are kept.

        With the notices that were told before, and the paces that were used before.
        """

    def forget_environment(self, environment: EnvironmentId) -> Forgotten:
        """Delete an environment that has no revision left, with all the rest of it."""

    def forget_repository(self, repository: RepositoryName) -> Forgotten:
        """Delete a repository that has no environment left."""


class Store(Protocol):
    """The daemon's memory. Nothing in it is truth that Git or a cluster lacks."""

    def read(self) -> AbstractContextManager[Reader]:
        """One consistent look."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """A unit of work; retried by the caller on StoreUnavailableError."""

    def give_back(self) -> bool:
        """Give a little of the space of what was deleted back to the disk.

        Says whether there is more. A database that does so by itself says no.
        """
