"""A person's repository as it would be: nothing of theirs is touched."""

import os

import pytest

from gitops_wf.adapters.git_cli import Conflicted, Preview
from gitops_wf.core.errors import TerminalError
from tests.gitworktree import ANN, GitWorkTree, run_git


@pytest.fixture
def work(tmp_path):
    tree = GitWorkTree.init(tmp_path / "work")
    tree.commit({"a": "1\n", "b": "1\n"}, author=ANN)
    return tree


@pytest.fixture
def preview(work):
    with Preview(work.path, "main") as opened:
        yield opened


def state(work):
    """All that a person's repository is made of, but the time of its index."""
    objects = sorted(p.name for p in (work.path / ".git" / "objects").rglob("*"))
    return (
        run_git(work.path, "status", "--porcelain"),
        run_git(work.path, "for-each-ref"),
        objects,
    )


def read(preview, sha):
    """The files of a commit, as the daemon would read them."""
    tree = preview.tree(sha)
    oids = {entry.path: entry.oid for entry in tree.entries}
    return {
        path: preview.blob(oid, max_bytes=1000).decode() for path, oid in oids.items()
    }


def test_a_clean_work_tree_is_its_head(work, preview):
    head = preview.resolved("HEAD")

    assert preview.work_tree_commit(head) == head == work.head()


def test_what_is_not_committed_is_read_and_nothing_is_touched(work, preview):
    (work.path / ".gitignore").write_text("ignored\n")
    (work.path / "ignored").write_text("1\n")
    (work.path / "a").write_text("2\n")
    (work.path / "b").unlink()
    (work.path / "new").write_text("1\n")
    run_git(work.path, "add", "new")
    before = state(work)

    commit = preview.work_tree_commit(preview.resolved("HEAD"))

    assert read(preview, commit) == {
        ".gitignore": "ignored\n",
        "a": "2\n",
        "new": "1\n",
    }
    assert preview.commit(commit).parents == (work.head(),)
    assert state(work) == before


def test_a_change_that_neither_size_nor_time_tells_is_read(work, preview):
    run_git(work.path, "config", "core.trustctime", "false")
    file, index = work.path / "a", work.path / ".git" / "index"
    long_ago = (10**18, 10**18)
    os.utime(file, ns=long_ago)
    run_git(work.path, "update-index", "--refresh")
    file.write_text("2\n")
    os.utime(file, ns=long_ago)
    os.utime(index, ns=long_ago)

    commit = preview.work_tree_commit(preview.resolved("HEAD"))

    assert read(preview, commit)["a"] == "2\n"


def test_a_branch_is_read_as_if_it_were_merged(work, preview):
    work.branch("topic")
    work.checkout("main")
    work.commit({"a": "2\n"}, author=ANN)
    work.checkout("topic")
    work.commit({"b": "2\n"}, author=ANN)
    main, topic = preview.resolved("main"), preview.resolved("topic")
    before = state(work)

    merged = preview.merged(main, topic)

    assert read(preview, merged) == {"a": "2\n", "b": "2\n"}
    assert preview.commit(merged).first_parent == main
    assert state(work) == before


def test_a_branch_that_lacks_nothing_is_its_own_head(work, preview):
    first = preview.resolved("HEAD")
    work.commit({"a": "2\n"}, author=ANN)
    second = preview.resolved("HEAD")

    assert preview.merged(first, second) == second
    assert preview.merged(second, first) == second


def test_a_merge_that_conflicts_names_the_paths(work, preview):
    work.branch("topic")
    work.checkout("main")
    work.commit({"a": "2\n"}, author=ANN)
    work.checkout("topic")
    work.commit({"a": "3\n"}, author=ANN)

    merged = preview.merged(preview.resolved("main"), preview.resolved("topic"))

    assert merged == Conflicted(paths=("a",))


def test_a_shallow_clone_says_what_to_fetch(work, tmp_path):
    work.branch("topic")
    work.checkout("main")
    work.commit({"a": "2\n"}, author=ANN)
    work.checkout("topic")
    work.commit({"b": "2\n"}, author=ANN)
    shallow = tmp_path / "shallow"
    url = f"file://{work.path}"
    run_git(tmp_path, "clone", "-q", "--no-single-branch", "--depth=1", url, "shallow")

    with Preview(shallow, "main") as preview:
        main = preview.resolved("origin/main")
        with pytest.raises(TerminalError, match="unshallow"):
            preview.merged(main, preview.resolved("origin/topic"))


def test_a_partial_clone_fetches_what_is_read(work, tmp_path):
    run_git(work.path, "config", "uploadpack.allowFilter", "true")
    url = f"file://{work.path}"
    options = ("-q", "--no-checkout", "--filter=blob:none")
    run_git(tmp_path, "clone", *options, url, "partial")

    with Preview(tmp_path / "partial", "main") as preview:
        head = preview.resolved("HEAD")
        oids = [entry.oid for entry in preview.tree(head).entries]
        assert preview.ensure_blobs(oids) == 1
        assert read(preview, head) == {"a": "1\n", "b": "1\n"}


def test_a_name_that_is_no_commit_is_none(preview):
    assert preview.resolved("nowhere") is None
    assert preview.resolved("--help") is None


def test_a_repository_with_long_ids_is_read(tmp_path):
    run_git(tmp_path, "init", "-q", "--object-format=sha256", "-b", "main", "long")
    (tmp_path / "long" / "a").write_text("1\n")
    with Preview(tmp_path / "long", "main") as preview:
        assert preview.resolved("HEAD") is None
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    run_git(tmp_path / "long", "add", "a")
    run_git(tmp_path / "long", *identity, "commit", "-qm", "one")

    with Preview(tmp_path / "long", "main") as preview:
        assert read(preview, preview.resolved("HEAD")) == {"a": "1\n"}


def test_the_passing_clone_is_gone_when_it_is_closed(work):
    with Preview(work.path, "main") as preview:
        place = preview.git_dir
        assert place.exists()

    assert not place.exists()
