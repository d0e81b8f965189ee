"""Pushes to local repositories, seen by the real file system watch."""

import queue

import pytest

from gitops_wf.adapters.local_watch import LocalWatch
from tests.gitserver import GitWorkTree, bare_repository

DEADLINE = 20


@pytest.fixture
def shop(tmp_path):
    bare = bare_repository(tmp_path / "shop.git")
    work = GitWorkTree.init(tmp_path / "work", remote=str(bare))
    work.push_commit({"a": "1"})
    return bare, work


@pytest.fixture
def seen():
    return queue.Queue()


@pytest.fixture
def watching(seen):
    started = []

    def start(**repositories):
        watch = LocalWatch(repositories, seen.put)
        started.append(watch)
        watch.start()
        return watch

    yield start
    for watch in started:
        watch.stop()


def drain(seen):
    while not seen.empty():
        seen.get_nowait()


def test_a_push_to_a_bare_repository_is_seen(shop, seen, watching):
    bare, work = shop
    watching(shop=bare)

    work.push_commit({"a": "2"})

    assert seen.get(timeout=DEADLINE) == "shop"


def test_a_push_of_a_packed_branch_and_its_deletion_are_seen(shop, seen, watching):
    bare, work = shop
    work.git("-C", str(bare), "pack-refs", "--all", "--prune")
    watching(shop=bare)

    work.push_commit({"a": "2"})
    assert seen.get(timeout=DEADLINE) == "shop"

    work.git("-C", str(bare), "pack-refs", "--all", "--prune")
    drain(seen)
    work.git("push", "-q", "origin", ":main")
    assert seen.get(timeout=DEADLINE) == "shop"


def test_a_commit_in_a_work_tree_and_in_a_linked_one_are_seen(
    shop, seen, watching, tmp_path
):
    _, work = shop
    work.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    watching(linked=tmp_path / "linked")

    work.commit({"a": "3"})

    assert seen.get(timeout=DEADLINE) == "linked"


def test_a_new_branch_in_a_new_folder_is_seen(shop, seen, watching):
    bare, work = shop
    watching(shop=bare)

    work.push(refspec="HEAD:refs/heads/team/feature")

    assert seen.get(timeout=DEADLINE) == "shop"


def test_only_the_repository_that_changed_is_named(shop, seen, watching, tmp_path):
    bare, work = shop
    other = bare_repository(tmp_path / "other.git")
    watch = watching(shop=bare, other=other, absent=tmp_path / "absent")

    assert watch.watched == {"shop", "other"}

    work.push_commit({"a": "2"})
    assert seen.get(timeout=DEADLINE) == "shop"
    work.git("push", "-q", str(other), "main")
    names = set()
    while "other" not in names:
        names.add(seen.get(timeout=DEADLINE))
    assert names <= {"shop", "other"}


def test_nothing_is_called_after_it_stopped(shop, seen, watching):
    bare, work = shop
    watch = watching(shop=bare)

    watch.stop()
    work.push_commit({"a": "2"})

    assert seen.empty()


def test_a_watch_of_nothing_starts_and_stops(tmp_path, watching):
    watch = watching(absent=tmp_path)

    assert watch.watched == frozenset()
