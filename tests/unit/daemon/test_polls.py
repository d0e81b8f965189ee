"""When repositories are polled, and whether they are told that something is new."""

import queue
import threading
from datetime import timedelta

import pytest
from apscheduler.schedulers.base import STATE_STOPPED

from gitops_wf.adapters.system_clock import SystemClock
from gitops_wf.core.identifiers import RepositoryName
from gitops_wf.daemon.lane import MOST, PLACES
from gitops_wf.daemon.polls import Polls
from gitops_wf.ports.observer import Unobserved

SHOP = RepositoryName("shop")
DEADLINE = 20
NEVER = timedelta(days=1)


class Repository:
    """Says that it is polled, and goes on when it may."""

    def __init__(self, name: str = SHOP, *, failures: int = 0) -> None:
        self.name = RepositoryName(name)
        self.failed = failures
        self.polls: queue.Queue[bool] = queue.Queue()
        self.may_end = threading.Semaphore(0)

    def poll(self, *, is_told: bool) -> bool:
        self.polls.put(is_told)
        assert self.may_end.acquire(timeout=DEADLINE)
        return False

    def failures(self) -> int:
        return self.failed

    def stop(self) -> None:
        self.may_end.release(100)


def names(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]


@pytest.fixture
def repository():
    return Repository()


def begun(repositories, every=NEVER, slow_after=NEVER) -> Polls:
    polls = Polls(
        clock=SystemClock(),
        repositories=[(each, every) for each in repositories],
        observer=Unobserved(),
        beat=lambda: None,
        slow_after=slow_after,
    )
    polls.start()
    return polls


@pytest.fixture
def polling(repository):
    started = []

    def start(every=NEVER, among=(), **more):
        started.append(begun([*among, repository], every, **more))
        return started[-1]

    yield start
    for polls in started:
        if polls._scheduler.running:
            polls.stop()


def test_a_repository_is_polled_at_the_start_as_if_told(repository, polling):
    polling()

    assert repository.polls.get(timeout=DEADLINE) is True


def test_a_poll_by_the_interval_is_told_nothing(repository, polling):
    polling(every=timedelta(milliseconds=10))
    repository.polls.get(timeout=DEADLINE)

    repository.may_end.release()

    assert repository.polls.get(timeout=DEADLINE) is False


def test_a_push_during_a_poll_is_told_to_the_poll_after_it(repository, polling):
    polls = polling()
    repository.polls.get(timeout=DEADLINE)

    polls.wake(SHOP)
    polls.wake(SHOP)
    repository.may_end.release()

    assert repository.polls.get(timeout=DEADLINE) is True
    assert repository.polls.empty()


def test_a_push_between_polls_is_told_at_once(repository, polling):
    polls = polling()
    repository.polls.get(timeout=DEADLINE)
    repository.may_end.release()

    polls.wake(SHOP)

    assert repository.polls.get(timeout=DEADLINE) is True


def test_the_end_in_the_midst_of_due_jobs_trips_nobody(
    repository, polling, monkeypatch
):
    """APScheduler's own `shutdown` kills its thread then, with a traceback."""
    crashed = []
    monkeypatch.setattr(threading, "excepthook", crashed.append)
    repository.may_end.release(100)
    polls = polling()
    repository.polls.get(timeout=DEADLINE)
    scheduler = polls._scheduler
    store = scheduler._jobstores["default"]
    due, ended = store.get_due_jobs, threading.Event()

    def stop():
        polls.stop()
        ended.set()

    def get_due_jobs(now):
        """Called by the scheduler's thread, with its lock: now the end is asked for."""
        found = due(now)
        if any(job.id == f"poll/{SHOP}" for job in found) and not stopping:
            stopping.append(threading.Thread(target=stop))
            stopping[0].start()
            for _ in range(20):  # until it is stopped, or clearly waits for the lock
                if scheduler.state == STATE_STOPPED:
                    break
                threading.Event().wait(0.01)
        return found

    stopping: list[threading.Thread] = []
    store.get_due_jobs = get_due_jobs
    polls.wake(SHOP)

    assert ended.wait(DEADLINE)
    stopping[0].join()
    assert crashed == []


def test_no_push_is_lost_however_many_come_in_a_row(repository, polling):
    polls = polling()

    for _ in range(300):
        assert repository.polls.get(timeout=DEADLINE) is True
        polls.wake(SHOP)
        repository.may_end.release()


def test_many_polls_begin_a_few_at_a_time(polling):
    begins: queue.Queue[bool] = queue.Queue()
    many = [Repository(name) for name in names(3 * PLACES)]
    for each in many:
        each.polls = begins

    polling(among=many)
    for _ in range(PLACES):
        begins.get(timeout=DEADLINE)

    assert begins.empty()
    for each in many:
        each.may_end.release()
    for _ in range(2 * PLACES):
        begins.get(timeout=DEADLINE)


def test_remotes_that_hang_give_their_places_up(repository, polling):
    hanging = [Repository(name) for name in names(PLACES + 2)]

    polling(among=hanging, slow_after=timedelta(milliseconds=20))

    assert repository.polls.get(timeout=DEADLINE) is True


def test_remotes_that_failed_hold_no_other_up_however_many_hang(repository, polling):
    hanging = [Repository(name, failures=3) for name in names(MOST + 2)]
    repository.may_end.release(1000)

    polling(every=timedelta(milliseconds=1), among=hanging)

    for _ in range(3):
        repository.polls.get(timeout=DEADLINE)


def test_a_stop_ends_what_waits_for_a_remote_and_begins_nothing():
    begins: queue.Queue[bool] = queue.Queue()
    hanging = [Repository(name) for name in names(PLACES + 2)]
    for each in hanging:
        each.polls = begins
    polls = begun(hanging)
    for _ in range(PLACES):
        begins.get(timeout=DEADLINE)

    polls.stop()

    assert begins.empty()
