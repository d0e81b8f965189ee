"""Forgetting what nobody needs any more, a little at a time.

What may go is said in `core/retention`; here it is looked for and deleted. Each
transaction is small, and after each the others have as much time as it took: neither a
poll nor a step waits longer for housekeeping than for any other writer.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from gitops_wf.core.errors import GitOpsError
from gitops_wf.core.identifiers import (
    EnvironmentId,
    RunId,
    repository_name,
)
from gitops_wf.core.phases import Phase
from gitops_wf.core.retention import Retention, expendable
from gitops_wf.core.revision import Revision
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.clones import Clones
from gitops_wf.ports.executor import Executor
from gitops_wf.ports.observer import Observer
from gitops_wf.ports.store import (
    EnvironmentRecord,
    Forgotten,
    Reader,
    Store,
    Transaction,
)
from gitops_wf.services.progress import held_place
from gitops_wf.services.watched import Watched

log = structlog.get_logger()

AT_ONCE = 50
"""Revisions or runs that are deleted in one transaction."""

ROWS_AT_ONCE = 500
"""Events, messages and the queue's own rows that are."""

_EXECUTED = timedelta(hours=1)
"""For how long the queue remembers work that ended; only its own checks need it."""

_DAMAGED = timedelta(days=7)
"""For how long a damaged clone is kept, for whoever wants to know what befell it."""


class _StoppedError(Exception):
    """The daemon ends."""


@dataclass(slots=True, kw_only=True)
class Housekeeping:
    """Looks through everything once; bounded in what it holds up, not in time.

    ``rest`` is asked after each piece of work, with the time that it took: it waits,
    and says whether to stop altogether.
    """

    retention: Retention
    store: Store
    clock: Clock
    executor: Executor
    repositories: Sequence[Watched]
    clones: Clones
    observer: Observer
    rest: Callable[[timedelta], bool]
    _strange: frozenset[str] = frozenset()

    def act(self) -> bool:
        """Do what there is to do; say whether all of it went well.

        One chore that fails is told, and does not keep the others from theirs.
        """
        begun = self.clock.now()
        deleted: Counter[str] = Counter()
        is_well = True
        for name, chore in self._chores().items():
            try:
                for forgotten in self._paced(chore()):
                    deleted.update(forgotten)
            except _StoppedError:
                return False
            except GitOpsError as error:
                is_well = False
                log.warning("housekeeping.failed", chore=name, cause=str(error))
            except Exception:
                # A bug in one chore must not fill the disk with what others delete.
                is_well = False
                log.exception("housekeeping.crashed", chore=name)
        took = self.clock.now() - begun
        self.observer.kept_house(deleted, took, succeeded=is_well)
        found = {what: count for what, count in deleted.items() if count}
        if found:
            log.info("housekeeping.done", seconds=took.total_seconds(), **found)
        return is_well

    def interrupt(self) -> None:
        """End what may take long; called from another thread, before the end."""
        for watched in self.repositories:
            watched.git.interrupt()

    def _chores(self) -> Mapping[str, Callable[[], Iterator[Forgotten]]]:
        return {
            "environments": self._trim_environments,
            "removed environments": self._forget_removed,
            "messages": self._forget_messages,
            "queue": self._forget_executed,
            "clones": self._forget_clones,
            **{
                f"clone of {watched.name}": partial(self._tidy, watched)
                for watched in self.repositories
            },
            "disk": self._give_back,
        }

    def _paced(self, pieces: Iterator[Forgotten]) -> Iterator[Forgotten]:
        """Rest after each piece for as long as it took."""
        while True:
            begun = self.clock.now()
            piece = next(pieces, None)
            if piece is None:
                return
            yield piece
            if self.rest(self.clock.now() - begun):
                raise _StoppedError

    # --- the store ---

    def _trim_environments(self) -> Iterator[Forgotten]:
        kept = self.retention
        with self.store.read() as reader:
            crowded = reader.crowded(
                revisions=kept.revisions, runs=kept.runs, events=kept.events
            )
            waited_for = _waited_for(reader)
        for environment in crowded:
            if environment is None:
                yield from self._trim_events(None, kept.events)
            else:
                places = waited_for.get(environment, ())
                yield from self._trim(environment, kept, waited_for=places)

    def _trim(
        self,
        environment: EnvironmentId,
        kept: Retention,
        *,
        waited_for: Collection[int] = (),
        may: Callable[[EnvironmentRecord], bool] = lambda _: True,
        keeps_released: bool = True,
    ) -> Iterator[Forgotten]:
        """Bring one environment to what is kept of it, while that ``may`` be."""
        after = -1
        while True:
            with self.store.transaction() as transaction:
                if not _held(transaction, environment, may):
                    return
                beyond = transaction.ended_beyond(
                    environment, kept.revisions, after=after, limit=AT_ONCE
                )
                numbers = _expendable(
                    transaction,
                    beyond,
                    waited_for=waited_for,
                    keeps_released=keeps_released,
                )
                forgotten = transaction.forget_revisions(environment, numbers)
            if not beyond:
                break
            after = beyond[-1].number
            yield forgotten
        while True:
            with self.store.transaction() as transaction:
                if not _held(transaction, environment, may):
                    return
                found = transaction.runs_beyond(environment, kept.runs, limit=AT_ONCE)
                releasing = _releasing_runs(transaction, environment)
                runs = [run for run in found if run not in releasing]
                forgotten = transaction.forget_runs(runs)
            if not runs:
                break
            yield forgotten
        yield from self._trim_events(environment, kept.events)
        yield from self._in_pieces(
            lambda transaction: transaction.forget_loose_decisions(
                environment, kept.revisions, limit=ROWS_AT_ONCE
            )
        )

    def _trim_events(
        self, environment: EnvironmentId | None, newest: int
    ) -> Iterator[Forgotten]:
        return self._in_pieces(
            lambda transaction: transaction.forget_events(
                environment, newest, limit=ROWS_AT_ONCE
            )
        )

    def _forget_messages(self) -> Iterator[Forgotten]:
        before = self.clock.now() - self.retention.messages
        return self._in_pieces(
            lambda transaction: transaction.forget_messages(before, limit=ROWS_AT_ONCE)
        )

    def _forget_removed(self) -> Iterator[Forgotten]:
        """Forget environments whose folder, or repository, has long been gone.

        What has not ended is left alone, and inputs that are barred stay so, with the
        environment's record.
        """
        before = self.clock.now() - self.retention.removed
        watched = {each.name for each in self.repositories}
        with self.store.read() as reader:
            gone = {
                record.name
                for record in reader.repositories()
                if record.name not in watched
                and (record.polled is None or record.polled < before)
            }
            records = reader.environments()

        def is_gone(record: EnvironmentRecord) -> bool:
            is_old = record.removed is not None and record.removed < before
            return record.repository in gone or (record.is_removed and is_old)

        for record in filter(is_gone, records):
            with self.store.read() as reader:
                if reader.unfinished_revisions(record.id):
                    continue
            yield from self._trim(
                record.id,
                Retention(revisions=0, runs=0, events=0),
                may=is_gone,
                keeps_released=False,
            )
            with self.store.transaction() as transaction:
                forgotten: Forgotten = {}
                if _held(transaction, record.id, is_gone) and not (
                    transaction.revisions(record.id, limit=1)
                ):
                    forgotten = transaction.forget_environment(record.id)
            yield forgotten
        for name in sorted(gone):
            with self.store.transaction() as transaction:
                forgotten = {}
                if not transaction.environments(name):
                    forgotten = transaction.forget_repository(name)
            yield forgotten

    def _in_pieces(
        self, forget: Callable[[Transaction], Forgotten]
    ) -> Iterator[Forgotten]:
        """Call it until it finds nothing more."""
        while True:
            with self.store.transaction() as transaction:
                forgotten = forget(transaction)
            if not any(forgotten.values()):
                return
            yield forgotten

    # --- beside the store ---

    def _forget_executed(self) -> Iterator[Forgotten]:
        before = self.clock.now() - _EXECUTED
        while count := self.executor.forget_finished(before, limit=ROWS_AT_ONCE):
            yield {"executions": count}

    def _forget_clones(self) -> Iterator[Forgotten]:
        now = self.clock.now()
        yield {
            "clones": self.clones.forget(
                {watched.name for watched in self.repositories},
                now - self.retention.removed,
                damaged_before=now - _DAMAGED,
            )
        }

    def _tidy(self, watched: Watched) -> Iterator[Forgotten]:
        """Let go of the commits of revisions that are forgotten, and pack the clone."""
        held = watched.git.held()
        places = {name: place for name in held if (place := held_place(name))}
        with self.store.read() as reader:
            records = {r.id: r for r in reader.environments(watched.name)}
            numbers = {
                environment: frozenset(reader.numbers(environment))
                for environment in records.keys() & {e for e, _ in places.values()}
            }
        # A commit is held before its revision is stored: what has a number that is not
        # reached yet is about to be. Of an environment that is not known (yet) nothing
        # tells but time.
        strange = frozenset(n for n, (e, _) in places.items() if e not in records)
        released = [
            name
            for name, (environment, number) in places.items()
            if environment in records
            and number not in numbers[environment]
            and number <= records[environment].last_number
        ]
        released += sorted(strange & self._strange)
        self._strange = (self._strange - places.keys()) | (strange - set(released))
        for start in range(0, len(released), ROWS_AT_ONCE):
            names = released[start : start + ROWS_AT_ONCE]
            watched.git.release(names)
            yield {"refs": len(names)}
        yield {}
        if watched.git.maintain():
            log.info("clone.packed", repository=watched.name)

    def _give_back(self) -> Iterator[Forgotten]:
        while self.store.give_back():
            yield {}


def _held(
    transaction: Transaction,
    environment: EnvironmentId,
    may: Callable[[EnvironmentRecord], bool],
) -> bool:
    """Hold an environment's row; False where it may no longer be trimmed."""
    if not transaction.lock_environment(environment):
        return False
    record = transaction.environment(environment)
    return record is not None and may(record)


def _expendable(
    reader: Reader,
    beyond: Sequence[Revision],
    *,
    waited_for: Collection[int],
    keeps_released: bool,
) -> tuple[int, ...]:
    if not beyond:
        return ()
    environment = beyond[0].environment
    following = reader.revision(environment, beyond[-1].number + 1)
    barred = {revision.inputs for revision in beyond if revision.barred}
    return expendable(
        beyond,
        following=following.position if following else None,
        barred=[
            revision
            for inputs in sorted(barred)
            if (revision := reader.revision_for(environment, inputs)) is not None
        ],
        waited_for=waited_for,
        keeps_released=keeps_released,
    )


def _releasing_runs(reader: Reader, environment: EnvironmentId) -> frozenset[RunId]:
    """Return the run that brought what is released: later ones ask what it wrote."""
    released = reader.released(environment)
    if released is None:
        return frozenset()
    found = reader.runs(environment, number=released.number)
    run = next((run for run in found if run.phase is Phase.SUCCEEDED), None)
    return frozenset() if run is None else frozenset({run.id})


def _waited_for(reader: Reader) -> dict[EnvironmentId, set[int]]:
    """Return the positions up to which environments' revisions are waited for."""
    found: dict[EnvironmentId, set[int]] = {}
    for revision in reader.unfinished_revisions():
        definition = revision.environment_definition
        for after in definition.after if definition else ():
            if after.repository is None:  # of others the newest counts, and is kept
                other = after.seen_from(repository_name(revision.environment))
                found.setdefault(other, set()).add(revision.position)
    return found
