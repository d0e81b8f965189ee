from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from gitops_wf.ports.store import StoreCorruptError, StoreUnavailableError
from gitops_wf.services.watched_store import Recorder, WatchedStore


class Fickle:
    """A store that cannot be read, or written, for some reason."""

    def __init__(self):
        self.broken = {}
        self.given_up = []

    @contextmanager
    def read(self):
        self._check("read")
        yield None

    @contextmanager
    def transaction(self):
        yield None
        self._check("write")

    def _check(self, what):
        if what in self.broken:
            reason = self.broken[what]
            if reason == "StoreCorrupt":
                raise StoreCorruptError("store x: malformed")
            raise StoreUnavailableError(f"store x: {reason}", reason=reason)


@pytest.fixture
def fickle():
    return Fickle()


@pytest.fixture
def store(fickle):
    return WatchedStore(
        store=fickle,
        monotonic=iter(range(0, 1000, 10)).__next__,
        give_up=fickle.given_up.append,
    )


def try_both(store):
    for look in (store.read, store.transaction):
        try:
            with look():
                pass
        except StoreUnavailableError:
            pass


def test_a_fault_is_said_once_and_its_end_once(store, fickle):
    with capture_logs() as logs:
        fickle.broken = dict.fromkeys(("read", "write"), "StoreUnreachable")
        for _ in range(5):
            try_both(store)
        assert store.fault == "store x: StoreUnreachable"
        fickle.broken = {}
        for _ in range(5):
            try_both(store)

    assert [(line["event"], line.get("reason")) for line in logs] == [
        ("store.failed", "StoreUnreachable"),
        ("store.recovered", None),
    ]
    assert store.fault == ""


def test_a_full_disk_that_can_still_be_read_is_a_fault_until_it_was_written(
    store, fickle
):
    with capture_logs() as logs:
        fickle.broken = {"write": "StoreFull"}
        for _ in range(3):
            try_both(store)
            assert store.fault == "store x: StoreFull"
        fickle.broken = {}
        try_both(store)

    assert [line["event"] for line in logs] == ["store.failed", "store.recovered"]


def test_another_fault_is_said_too(store, fickle):
    with capture_logs() as logs:
        for reason in ("StoreUnreachable", "StoreReadOnly"):
            fickle.broken = {"write": reason}
            try_both(store)

    assert [line["reason"] for line in logs] == ["StoreUnreachable", "StoreReadOnly"]


def test_what_was_done_is_recorded_when_the_store_takes_it():
    waits, answers = [], [*["StoreFull"] * 6, None]

    def write():
        if reason := answers.pop(0):
            raise StoreUnavailableError("away", reason=reason)
        return "recorded"

    assert Recorder(wait=waits.append).insist(write) == "recorded"
    assert waits == [0.75, 1.5, 3.0, 5.0, 5.0, 5.0]


def test_a_bug_in_recording_is_not_tried_again():
    with pytest.raises(ZeroDivisionError):
        Recorder(wait=lambda _: pytest.fail("waited")).insist(lambda: 1 / 0)


@pytest.mark.parametrize("what", ["read", "transaction"])
def test_a_damaged_store_is_given_up(store, fickle, what):
    fickle.broken = {"read": "StoreCorrupt", "write": "StoreCorrupt"}

    with pytest.raises(StoreCorruptError), getattr(store, what)():
        pass

    assert [str(error) for error in fickle.given_up] == ["store x: malformed"]
