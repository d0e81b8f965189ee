"""Damage to our clone: noticed, told, and put right from the remote."""

import os
import shutil
import signal
import subprocess

import pytest

from gitops_wf.core.errors import TransientError
from gitops_wf.ports.git import FetchResult
from tests.contract.git_remotes import served
from tests.gitworktree import unreadable


@pytest.fixture
def shop(tmp_path):
    with served(tmp_path, "file") as place:
        place.work.push_commit({"a": "1", "envs/prod/web.yaml": "v: 1"})
        yield place


def packs(repository):
    return list((repository.git_dir / "objects" / "pack").glob("*.pack"))


def wreck(repository, how):
    git_dir = repository.git_dir
    match how:
        case "packs gone":
            for file in (git_dir / "objects" / "pack").iterdir():
                file.unlink()
        case "packs cut short":
            for file in packs(repository):
                file.chmod(0o600)
                os.truncate(file, 40)
        case "config unreadable":
            (git_dir / "config").write_text("[core\n\x00")
        case "HEAD gone":
            (git_dir / "HEAD").unlink()
        case "head ref points nowhere":
            (git_dir / "refs/gitops-wf/head").write_text("ab" * 20 + "\n")
        case "head ref is garbage":
            (git_dir / "refs/gitops-wf/head").write_bytes(b"\0\0\0\0")
    repository.close()


WRECKS = [
    "packs gone",
    "packs cut short",
    "config unreadable",
    "HEAD gone",
    "head ref points nowhere",
    "head ref is garbage",
]


@pytest.mark.parametrize("how", WRECKS)
def test_a_damaged_clone_is_cloned_anew_by_the_next_fetch(shop, how):
    with shop.open() as repository:
        head = repository.fetch().new
        repository.hold({"revisions/prod/1": head})
        wreck(repository, how)

        assert repository.fetch().new == head

        assert repository.tree(head, "envs/prod").entries[0].path == "web.yaml"
        assert repository.held() == {"revisions/prod/1": head}
        assert [c.sha for c in repository.walk(None, head).commits] == [head]


@pytest.mark.parametrize("how", WRECKS)
def test_a_clone_damaged_while_the_daemon_was_down_is_cloned_anew(shop, how):
    with shop.open() as repository:
        head = repository.fetch().new
        repository.hold({"revisions/prod/1": head})
        wreck(repository, how)

    with shop.open() as again:
        assert again.fetch().new == head
        assert again.tree(head, "envs/prod") is not None
        assert again.held() == {"revisions/prod/1": head}


def test_a_clone_that_is_gone_is_noticed_and_cloned_anew(shop):
    with shop.open() as repository:
        head = repository.fetch().new
        assert not repository.is_damaged
        repository.close()
        shutil.rmtree(repository.git_dir)

        assert repository.is_damaged
        assert repository.fetch() == FetchResult(old=None, new=head, is_renewed=True)

        assert not repository.is_damaged
        assert repository.tree(head, "envs/prod") is not None


def test_a_clone_that_is_distrusted_is_cloned_anew(shop):
    with shop.open() as repository:
        head = repository.fetch().new
        repository.distrust()

        assert repository.fetch().is_renewed
        assert repository.fetch() == FetchResult(old=head, new=head)


def test_reading_a_damaged_clone_says_so_and_that_the_next_fetch_helps(shop):
    with shop.open() as repository:
        head = repository.fetch().new
        wreck(repository, "HEAD gone")

        with pytest.raises(TransientError, match="the next fetch clones it anew"):
            repository.walk(None, head)


def test_a_held_commit_that_the_remote_forgot_comes_from_the_old_clone(shop):
    with shop.open() as repository:
        first = repository.fetch().new
        gone = shop.work.push_commit({"a": "2"}, "Gone")
        repository.fetch()
        repository.hold({"revisions/prod/2": gone})
        shop.work.git("reset", "-q", "--hard", first)
        new = shop.work.commit({"a": "3"}, "New")
        shop.work.push(force=True)
        shop.work.git("-C", str(shop.bare), "gc", "-q", "--prune=now")
        wreck(repository, "config unreadable")

        assert repository.fetch() == FetchResult(old=gone, new=new, is_renewed=True)

        assert repository.held() == {"revisions/prod/2": gone}
        assert repository.commit(gone).subject == "Gone"


def test_a_remote_that_is_away_leaves_the_damaged_clone_as_it_is(shop):
    with shop.open() as repository:
        head = repository.fetch().new
        repository.hold({"revisions/prod/1": head})
        wreck(repository, "config unreadable")

        with unreadable(shop.bare):
            for _ in range(2):
                with pytest.raises(Exception, match="repository"):
                    repository.fetch()

        assert repository.fetch().new == head
        assert repository.held() == {"revisions/prod/1": head}


def test_locks_left_by_a_killed_git_are_removed_when_the_clone_is_opened(shop):
    with shop.open() as repository:
        head = repository.fetch().new
        repository.hold({"revisions/prod/1": head})
        for name in ("refs/gitops-wf/head.lock", "packed-refs.lock", "config.lock"):
            (repository.git_dir / name).touch()

    new = shop.work.push_commit({"a": "2"})
    with shop.open() as again:
        assert again.fetch().new == new
        again.release(["revisions/prod/1"])
        assert again.held() == {}


def test_a_reading_child_that_was_killed_is_replaced(shop):
    with shop.open() as repository:
        head = repository.fetch().new
        assert repository.has_commit(head)
        children = subprocess.check_output(
            ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], text=True
        )
        pids = [line.split()[0] for line in children.splitlines() if "cat-file" in line]
        assert pids
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)

        assert repository.tree_oid(head, "a") is not None
        assert repository.has_commit(head)


def test_a_directory_with_something_else_in_it_is_replaced_not_mixed(shop):
    place = shop.directory / "daemon" / "clone"
    place.mkdir(parents=True)
    (place / "stray").write_text("x")

    with shop.open() as repository:
        assert repository.fetch().new == shop.work.head()

    assert not (place / "stray").exists()
    assert (place.with_name("clone.damaged") / "stray").exists()


def test_held_names_are_moved_released_and_checked(shop):
    with shop.open() as repository:
        first = repository.fetch().new
        second = shop.work.push_commit({"a": "2"})
        repository.fetch()
        repository.hold({"a/1": first, "a/2": first, "b": first})
        repository.hold({"a/1": second})
        repository.release(["a/2", "never"])

        assert repository.held() == {"a/1": second, "b": first}
        for name in ("../head", "a..b", "a b", "a\nb", "", "-x/.lock", "a.lock"):
            with pytest.raises(ValueError, match="no valid name"):
                repository.hold({name: first})
        with pytest.raises(KeyError):
            repository.hold({"c": "f" * 40})
        assert repository.held() == {"a/1": second, "b": first}
