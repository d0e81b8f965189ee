"""What the store promises of its SQLite file, and of locations in general."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy

from gitops_wf.adapters.sql_store import open_beside, open_for_reading, open_store
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.event import Event
from gitops_wf.ports.store import RepositoryRecord, StoreUnavailableError

NOW = datetime(2026, 1, 2, tzinfo=UTC)
HOLDER = """
import sys
from gitops_wf.adapters.sql_store import open_store
store = open_store(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def another_process(file: Path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


def test_a_second_process_is_refused_and_told_which_one_is_first(tmp_path: Path):
    file = tmp_path / "store.db"

    with (
        another_process(file) as first,
        pytest.raises(TerminalError, match=f"in use by process {first.pid}:"),
    ):
        open_store(file)


def test_beside_the_daemon_of_another_process_rows_can_be_written(tmp_path: Path):
    file = tmp_path / "store.db"
    record = RepositoryRecord(name="shop", url="u", branch="main")

    with another_process(file):
        beside = open_beside(file)
        with beside.transaction() as transaction:
            transaction.save_repository(record)
        beside.close()
        with pytest.raises(TerminalError, match="in use"):
            open_store(file)

    store = open_store(file)
    with store.read() as reader:
        assert list(reader.repositories()) == [record]
    store.close()


def test_nothing_is_made_beside_a_daemon_that_never_was(tmp_path: Path):
    with pytest.raises(TerminalError, match="is not there"):
        open_beside(tmp_path / "store.db")

    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_the_file_to_the_next(tmp_path: Path):
    file = tmp_path / "store.db"
    with another_process(file) as first:
        first.send_signal(signal.SIGKILL)
        first.wait(30)

    open_store(file).close()


def test_a_closed_store_can_be_opened_again_in_the_same_process(tmp_path: Path):
    store = open_store(tmp_path / "store.db")
    with pytest.raises(TerminalError, match=f"in use by process {os.getpid()}:"):
        open_store(tmp_path / "store.db")
    store.close()

    open_store(tmp_path / "store.db").close()


def test_it_can_be_read_beside_another_process(tmp_path: Path):
    file = tmp_path / "store.db"

    with another_process(file):
        store = open_for_reading(file)
        with store.read() as reader:
            assert reader.repositories() == []
        store.close()


def test_the_folders_of_a_new_file_are_made(tmp_path: Path):
    open_store(tmp_path / "var" / "lib" / "store.db").close()

    assert (tmp_path / "var" / "lib" / "store.db").exists()


def test_there_must_be_something_to_read(tmp_path: Path):
    with pytest.raises(TerminalError, match="is not there"):
        open_for_reading(tmp_path / "store.db")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path):
    file = tmp_path / "store.db"
    file.write_bytes(b"not a database, but somebody's data" * 100)

    with pytest.raises(TerminalError, match="not a database") as refused:
        open_store(file)

    assert refused.value.reason == "StoreCorrupt"
    assert file.read_bytes() == b"not a database, but somebody's data" * 100
    file.unlink()
    open_store(file).close()


def test_a_corrupt_file_is_refused_and_left_as_it_is(tmp_path: Path):
    file = tmp_path / "store.db"
    store = open_store(file)
    with store.transaction() as transaction:
        transaction.save_repository(RepositoryRecord(name="a", url="", branch=""))
    store.close()
    broken = bytearray(file.read_bytes())
    broken[4096:] = b"\xff" * (len(broken) - 4096)
    file.write_bytes(broken)

    with pytest.raises(TerminalError, match="malformed") as refused:
        open_store(file)

    assert refused.value.reason == "StoreCorrupt"
    assert file.read_bytes() == bytes(broken)


def zeroed_page(data: bytes) -> bytes:
    """One page in the middle, as a disk loses it."""
    middle = len(data) // 4096 // 2 * 4096
    return data[:middle] + bytes(4096) + data[middle + 4096 :]


@pytest.mark.parametrize(
    "damage",
    [
        zeroed_page,
        lambda data: b"\0" * 100 + data[100:],
        lambda data: data[: len(data) // 2],
        lambda data: data[: len(data) // 2 + 1000],
    ],
    ids=["zeroed page", "garbage header", "cut at a page", "cut within a page"],
)
def test_a_damaged_file_is_found_at_the_start_and_left_as_it_is(tmp_path, damage):
    file = tmp_path / "store.db"
    store = open_store(file)
    for number in range(300):
        with store.transaction() as transaction:
            transaction.save_repository(
                RepositoryRecord(name=f"r{number}", url="x" * 1000, branch="")
            )
    store.close()
    broken = damage(file.read_bytes())
    file.write_bytes(broken)

    with pytest.raises(TerminalError) as refused:
        open_store(file)

    assert refused.value.reason == "StoreCorrupt"
    assert f"store {file}" in str(refused.value)
    assert "move the file away" in str(refused.value)
    assert file.read_bytes() == broken
    assert all(not wal.stat().st_size for wal in tmp_path.glob("*-wal"))


def test_a_full_disk_is_said_and_what_was_stored_stays(tmp_path: Path):
    store = open_store(tmp_path / "store.db")
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    store.engine.dispose()

    @sqlalchemy.event.listens_for(store.engine, "connect")
    def limit(connection: sqlite3.Connection, record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with (
        pytest.raises(StoreUnavailableError, match="full") as refused,
        store.transaction() as transaction,
    ):
        transaction.save_repository(
            RepositoryRecord(name="a", url="x" * 100_000, branch="")
        )

    assert refused.value.reason == "StoreFull"
    with store.read() as reader:
        assert reader.repositories() == []
    store.close()


def test_a_busy_file_is_worth_another_try(tmp_path: Path):
    file = tmp_path / "store.db"
    store = open_store(file)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    store.engine.dispose()

    @sqlalchemy.event.listens_for(store.engine, "connect")
    def impatient(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 1")

    with (
        pytest.raises(StoreUnavailableError, match="locked") as refused,
        store.transaction(),
    ):
        pass
    assert refused.value.reason == "StoreBusy"
    other.close()
    store.close()


@pytest.mark.parametrize(
    "location", ["mysql://u:geheim@h/d", "sqlite://", "postgresql://u:geheim@h:x/d"]
)
def test_other_locations_are_refused_without_telling_passwords(location: str):
    with pytest.raises(TerminalError) as refused:
        open_store(location)

    assert "geheim" not in str(refused.value)


def test_a_server_that_is_not_there_is_worth_another_try():
    with pytest.raises(StoreUnavailableError) as refused:
        open_store("postgresql://u:geheim@127.0.0.1:1/d")

    assert "geheim" not in str(refused.value)


def test_a_file_gives_space_back_that_is_free_a_little_at_a_time(tmp_path):
    file = tmp_path / "store.db"
    store = open_store(file)
    with store.transaction() as transaction:
        for _ in range(100):
            transaction.add_event(
                Event(at=NOW, kind="k", reason="R", message="x" * 100_000)
            )
    store.give_back()  # what is in the log comes into the file
    full = file.stat().st_size
    assert full > 10_000_000

    with store.transaction() as transaction:
        transaction.forget_events(None, 1, limit=1000)
    rounds = 1
    while store.give_back():
        rounds += 1

    assert rounds > 1
    assert file.stat().st_size < full / 5
    store.close()
