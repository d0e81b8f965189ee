"""When repositories are polled, and whether they are told that something is new."""

import queue
import threading
from datetime import timedelta

import pytest
from apscheduler.schedulers.base import STATE_STOPPED

from gitops_wf.adapters.system_clock import SystemClock
from gitops_wf.core.identifiers import RepositoryName
from gitops_wf.daemon.polls import Polls
from gitops_wf.ports.observer import Unobserved

SHOP = RepositoryName("shop")
DEADLINE = 20
NEVER = timedelta(days=1)


class Repository:
    """Says that it is polled, and goes on when it may."""

    name = SHOP

    def __init__(self) -> None:
        self.polls: queue.Queue[bool] = queue.Queue()
        self.may_end = threading.Semaphore(0)

    def poll(self, *, is_told: bool) -> bool:
        self.polls.put(is_told)
        assert self.may_end.acquire(timeout=DEADLINE)
        return False

    def failures(self) -> int:
        return 0


@pytest.fixture
def repository():
    return Repository()


@pytest.fixture
def polling(repository):
    started = []

    def start(every=NEVER):
        polls = Polls(
            clock=SystemClock(),
            repositories=[(repository, every)],
            observer=Unobserved(),
            beat=lambda: None,
        )
        started.append(polls)
        polls.start()
        return polls

    yield start
    repository.may_end.release(100)
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
