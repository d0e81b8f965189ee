"""Packing a clone: what it must not hold up, and must not lose."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from gitops_wf.adapters.git_cli.recovery import refs_below
from gitops_wf.adapters.git_cli.repository import MANY_LOOSE_REFS
from gitops_wf.ports.git import FetchResult
from tests.contract.git_remotes import served
from tests.daemons import eventually


@pytest.fixture
def shop(tmp_path):
    with served(tmp_path, "path") as place:
        yield place


def oids(repository, sha):
    return [entry.oid for entry in repository.tree(sha).entries]


@contextlib.contextmanager
def packing(repository):
    """A maintenance that has begun, and does not end before this does."""
    # As much as makes it worth while; and git waits for whoever else packs refs.
    head = repository.head()
    repository.hold({f"revisions/many@{n}": head for n in range(MANY_LOOSE_REFS + 1)})
    lock = repository.git_dir / "packed-refs.lock"
    lock.touch()
    with ThreadPoolExecutor(1) as pool:
        packed = pool.submit(repository.maintain)
        eventually((repository.git_dir / "gc.pid").exists, what="git gc to begin")
        try:
            yield packed
        finally:
            lock.unlink(missing_ok=True)


def test_commits_are_taken_in_while_the_clone_is_packed(shop):
    first = shop.work.push_commit({"a": "1"})
    with shop.open() as repository:
        repository.fetch()
        with packing(repository) as packed:
            second = shop.work.push_commit({"a": "2"})

            assert repository.remote_head().sha == second
            assert repository.fetch() == FetchResult(old=first, new=second)
            repository.ensure_blobs(oids(repository, second))
            repository.hold({"revisions/shop/prod@2": second})
            assert [c.sha for c in repository.walk(first, second).commits] == [second]
            assert not packed.done()

        assert packed.result(timeout=60)
        assert repository.head() == second
        assert repository.held()["revisions/shop/prod@2"] == second
        assert repository.blobs(oids(repository, second), max_bytes=10)
        assert not repository.maintain()
        assert len(repository.held()) == MANY_LOOSE_REFS + 2


def test_a_packing_ends_at_once_when_it_is_interrupted(shop):
    shop.work.push_commit({"a": "1"})
    with shop.open() as repository:
        repository.fetch()
        with packing(repository) as packed:
            repository.interrupt()

            assert packed.result(timeout=5) is False
        assert len(repository.held()) == MANY_LOOSE_REFS + 1


def test_a_ref_that_is_packed_while_refs_are_read_is_not_missed(tmp_path):
    """The packed refs are a pipe here, so that the loose one goes as they are read."""
    loose = tmp_path / "refs" / "ours" / "head"
    loose.parent.mkdir(parents=True)
    loose.write_text("b" * 40)
    os.mkfifo(tmp_path / "packed-refs")

    def pack() -> None:
        with (tmp_path / "packed-refs").open("w") as packed:
            loose.unlink()
            packed.write(f"{'a' * 40} refs/ours/head\n")

    with ThreadPoolExecutor(1) as pool:
        packed = pool.submit(pack)
        found = refs_below(tmp_path, "refs/ours/")
        packed.result()

    assert found == {"refs/ours/head": "b" * 40}
