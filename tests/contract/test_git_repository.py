"""The Git port on every transport: what a daemon does with a remote branch."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gitops_wf.adapters.git_cli.repository import MANY_LOOSE_REFS
from gitops_wf.ports.git import EntryKind, FetchResult, OversizedBlob, RemoteHead
from tests.contract.git_remotes import TRANSPORTS, served


@pytest.fixture(params=TRANSPORTS)
def shop(request, tmp_path):
    with served(tmp_path, request.param) as place:
        yield place


def oids(repository, sha):
    return [entry.oid for entry in repository.tree(sha).entries]


def test_an_empty_repository_is_told_from_a_branch_that_does_not_exist(shop):
    with shop.open() as empty:
        assert empty.remote_head() == RemoteHead(sha=None, is_empty=True)
        assert empty.fetch() == FetchResult(old=None, new=None)
        assert empty.head() is None

    shop.work.push_commit({"a": "1"})

    with shop.open("release/1") as absent:
        assert absent.remote_head() == RemoteHead(sha=None, is_empty=False)
        assert absent.fetch() == FetchResult(old=None, new=None)


def test_a_push_is_seen_without_a_fetch_and_brought_by_one(shop):
    first = shop.work.push_commit({"a": "1"})
    with shop.open() as repository:
        assert repository.fetch() == FetchResult(old=None, new=first)

        second = shop.work.push_commit({"a": "2"})

        assert repository.remote_head() == RemoteHead(sha=second)
        assert repository.head() == first
        assert repository.fetch() == FetchResult(old=first, new=second)
        assert repository.head() == second
        assert repository.fetch() == FetchResult(old=second, new=second)


def test_only_the_branch_itself_counts_not_one_whose_name_ends_alike(shop):
    shop.work.commit({"a": "1"})
    shop.work.push(refspec="HEAD:refs/heads/team/refs/heads/main")
    shop.work.push(refspec="HEAD:refs/heads/other/main")

    with shop.open() as repository:
        assert repository.remote_head() == RemoteHead(sha=None, is_empty=False)
        assert repository.fetch().new is None


def test_a_clone_that_is_opened_again_goes_on_where_it_was(shop):
    first = shop.work.push_commit({"a": "1"})
    with shop.open() as repository:
        repository.fetch()
        repository.hold({"cursor": first})
    second = shop.work.push_commit({"a": "2"})

    with shop.open() as again:
        assert again.head() == first
        assert again.held() == {"cursor": first}
        assert again.fetch() == FetchResult(old=first, new=second)


def test_a_force_push_is_reported_and_held_commits_survive_it(shop):
    shop.work.push_commit({"a": "1"})
    with shop.open() as repository:
        old = repository.fetch().new
        gone = shop.work.push_commit({"a": "2"})
        repository.fetch()
        repository.hold({"revisions/shop/prod/2": gone})
        repository.ensure_blobs(oids(repository, gone))
        shop.work.git("reset", "-q", "--hard", old)
        new = shop.work.commit({"a": "3"})
        shop.work.push(force=True)

        assert repository.fetch() == FetchResult(old=gone, new=new)
        repository.hold({f"many/{n}": gone for n in range(MANY_LOOSE_REFS + 1)})
        assert repository.maintain()

        assert repository.tree_oid(gone, "a") in repository.blobs(
            oids(repository, gone), max_bytes=10
        )
        walk = repository.walk(gone, new)
        assert (walk.is_rewritten, walk.merge_base, walk.commits) == (True, old, ())


def test_a_branch_deleted_and_made_again_is_compared_with_what_it_was(shop):
    first = shop.work.push_commit({"a": "1"})
    shop.work.push(refspec="HEAD:refs/heads/other")
    with shop.open() as repository:
        repository.fetch()
        shop.work.git("push", "-q", "origin", ":refs/heads/main")

        assert repository.remote_head() == RemoteHead(sha=None, is_empty=False)
        assert repository.fetch() == FetchResult(old=first, new=None)
        assert repository.head() == first

        shop.work.git("checkout", "-q", "--orphan", "fresh")
        second = shop.work.commit({"b": "1"}, "Start again")
        shop.work.push()

        assert repository.fetch() == FetchResult(old=first, new=second)
        assert repository.walk(first, second).is_rewritten
        assert repository.walk(first, second).merge_base is None


def test_blobs_come_when_asked_for_and_then_need_no_remote(shop):
    sha = shop.work.push_commit({f"envs/prod/{n}.yaml": f"n: {n}" for n in range(20)})
    with shop.open() as repository:
        repository.fetch()
        wanted = oids(repository, sha)
        assert set(repository.missing(wanted)) == set(wanted)
        with pytest.raises(KeyError, match="not in the clone"):
            repository.blob(wanted[0], max_bytes=100)

        assert repository.ensure_blobs(wanted) == 20
        assert repository.ensure_blobs(wanted) == 0

        assert repository.missing(wanted) == ()
        contents = repository.blobs(wanted, max_bytes=100)
        assert sorted(contents.values()) == sorted(
            f"n: {n}".encode() for n in range(20)
        )


def test_a_blob_above_the_cap_is_told_by_its_size(shop):
    sha = shop.work.push_commit({"big": b"x" * 101, "fits": b"y" * 100})
    with shop.open() as repository:
        repository.fetch()
        repository.ensure_blobs(oids(repository, sha))
        big, fits = oids(repository, sha)

        assert repository.blobs([big, fits], max_bytes=100) == {
            big: OversizedBlob(oid=big, size=101),
            fits: b"y" * 100,
        }


def test_a_tree_lists_files_links_and_submodules_below_a_folder(shop):
    shop.work.write(
        {"envs/prod/run.sh": "#!/bin/sh", "envs/prod/sub/b": "1", "envs/a": "2"}
    )
    shop.work.git("update-index", "--chmod=+x", "envs/prod/run.sh")
    (shop.work.path / "envs/prod/link").symlink_to("/etc/passwd")
    shop.work.git("add", "envs/prod/link")
    pin = "1234567890" * 4
    shop.work.git(
        "update-index", "--add", "--cacheinfo", f"160000,{pin},envs/prod/module"
    )
    shop.work.git("commit", "-q", "-m", "All kinds")
    sha = shop.work.push()

    with shop.open() as repository:
        repository.fetch()
        tree = repository.tree(sha, "envs/prod")

        assert {e.path: e.kind for e in tree.entries} == {
            "link": EntryKind.SYMLINK,
            "module": EntryKind.SUBMODULE,
            "run.sh": EntryKind.EXECUTABLE,
            "sub/b": EntryKind.FILE,
        }
        assert tree.oid == repository.tree_oid(sha, "envs/prod")
        assert repository.tree_oid(sha, "envs/prod/module") == pin
        assert repository.tree(sha, "envs/a") is None
        assert repository.tree(sha, "envs/nothing") is None
        assert repository.tree_oids([(sha, "envs/a/b"), (sha, "../x"), (sha, "")]) == (
            None,
            None,
            repository.tree(sha).oid,
        )


def test_threads_read_while_another_fetches(shop):
    first = shop.work.push_commit({f"f{n}": f"{n}" for n in range(30)})
    with shop.open() as repository, ThreadPoolExecutor(8) as pool:
        repository.fetch()
        wanted = oids(repository, first)
        repository.ensure_blobs(wanted)
        newest = shop.work.push_commit({"f0": "changed"})

        fetching = pool.submit(repository.fetch)
        reads = [
            pool.submit(repository.blob, oid, max_bytes=10)
            for oid in wanted
            for _ in range(5)
        ]
        names = pool.submit(lambda: [e.path for e in repository.tree(first).entries])

        expected = [
            f"{n}".encode() for n in sorted(range(30), key=str) for _ in range(5)
        ]
        assert [read.result() for read in reads] == expected
        assert sorted(names.result()) == sorted(f"f{n}" for n in range(30))
        assert fetching.result() == FetchResult(old=first, new=newest)


@pytest.fixture
def local_shop(tmp_path):
    with served(tmp_path, "path") as place:
        yield place


def test_small_files_of_a_local_push_come_with_it_and_large_ones_when_asked_for(
    local_shop,
):
    local_shop.work.push_commit({"old": "1"})
    with local_shop.open() as repository:
        first = repository.fetch().new
        large = "".join(f"{number}\n" for number in range(20_000))
        second = local_shop.work.push_commit({"small": "2", "large": large})

        repository.fetch()

        lacking = repository.missing(oids(repository, second))
        assert set(oids(repository, first)) <= set(lacking)
        assert repository.tree_oid(second, "small") not in lacking
        assert repository.tree_oid(second, "large") in lacking
        assert repository.ensure_blobs(lacking) == len(lacking)
