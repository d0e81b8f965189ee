"""Finding a person's work tree of a watched repository, on real repositories."""

import pytest

from gitops_wf.adapters.git_cli import current_branch, find_work_tree
from tests.gitworktree import GitWorkTree, bare_repository


@pytest.fixture
def bare(tmp_path):
    return bare_repository(tmp_path / "shop.git")


@pytest.fixture
def tree(bare, tmp_path):
    made = GitWorkTree.init(tmp_path / "shop", remote=str(bare))
    made.commit({"envs/prod/a": "1"})
    return made


def test_the_work_tree_around_a_directory_is_found_by_its_remote(bare, tree):
    found = find_work_tree(tree.path / "envs" / "prod", f"file://{bare}")

    assert (found.path, found.remote) == (tree.path, "origin")


def test_a_work_tree_of_another_repository_is_not_taken(tree, tmp_path):
    other = bare_repository(tmp_path / "other.git")

    assert find_work_tree(tree.path, str(other)) is None


def test_no_work_tree_is_found_where_there_is_none(bare, tmp_path):
    (tmp_path / "empty").mkdir()

    assert find_work_tree(tmp_path / "empty", str(bare)) is None
    assert find_work_tree(tmp_path / "nowhere", str(bare)) is None


def test_a_watched_work_tree_is_meant_wherever_the_person_stands(tree, tmp_path):
    found = find_work_tree(tmp_path, str(tree.path))

    assert (found.path, found.remote) == (tree.path, None)


@pytest.mark.parametrize(
    "spelled",
    [
        "git@git.example:team/shop.git",
        "ssh://git@git.example/team/shop",
        "https://GIT.example/team/shop.git",
        "https://ann@git.example/team/shop/",
    ],
)
def test_one_repository_may_be_spelled_in_several_ways(tree, spelled):
    tree.git("remote", "set-url", "origin", spelled)

    assert find_work_tree(tree.path, "https://git.example/team/shop") is not None
    assert find_work_tree(tree.path, "https://git.example/team/shop2") is None
    assert find_work_tree(tree.path, "https://evil.example/team/shop") is None


def test_the_branch_of_a_repository_is_known_before_its_first_commit(tmp_path):
    bare = bare_repository(tmp_path / "new.git", branch="trunk")

    assert current_branch(bare) == "trunk"
    assert current_branch(tmp_path) is None
