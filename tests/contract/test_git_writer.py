"""The writing side of the Git port, in a person's work tree and in a passing clone."""

import pytest

from gitops_wf.adapters.git_cli import GitCliWriter
from gitops_wf.core.commit import Person
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.ports.git_writer import Pushed, PushRejected, WriterReason
from tests.gitserver import BOB, GitHttpServer, GitWorkTree, bare_repository, run_git


@pytest.fixture(autouse=True)
def ann_at_her_desk(tmp_path, monkeypatch):
    """What git finds on a person's machine: their identity, nothing of ours."""
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Ann\n\temail = ann@example.com\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return config


@pytest.fixture
def bare(tmp_path):
    return bare_repository(tmp_path / "srv" / "shop.git")


@pytest.fixture
def bob(bare, tmp_path):
    work = GitWorkTree.init(tmp_path / "bob", remote=str(bare))
    work.author = BOB
    work.push_commit({"envs/prod/web.yaml": "v: 1", "README": "x"}, "First")
    return work


@pytest.fixture
def tree(bob, bare, tmp_path):
    return GitWorkTree.clone(str(bare), tmp_path / "ann")


@pytest.fixture(params=["work tree", "passing clone"])
def writer(request, bob, bare, tree):
    if request.param == "work tree":
        made = GitCliWriter.in_work_tree(tree.path / "envs", "main")
    else:
        made = GitCliWriter.in_passing_clone(str(bare), "main")
    with made:
        made.refresh()
        yield made


def at_remote(bare, path, rev="main"):
    return run_git(bare, "show", f"{rev}:{path}")


def test_files_are_committed_as_the_person_and_pushed(writer, bare, bob):
    sha = writer.commit(
        {"envs/prod/approvals.yaml": b"approvals: []\n"}, "Approve prod"
    )

    assert writer.push() == Pushed(sha=sha)
    assert run_git(bare, "log", "-1", "--format=%an %ae %s", "main") == (
        "Ann ann@example.com Approve prod"
    )
    changed = run_git(bare, "diff", "--name-status", "main~1", "main")
    assert changed == "A\tenvs/prod/approvals.yaml"


def test_what_is_at_the_head_can_be_read_and_listed(writer):
    assert writer.read("envs/prod/web.yaml") == b"v: 1"
    assert writer.read("envs/prod/nothing") is None
    assert writer.list_files("envs/prod") == ("envs/prod/web.yaml",)
    assert writer.list_files("envs/pro") == ()


def test_what_changed_since_a_commit_is_told_file_by_file(writer, bob):
    first = bob.head()
    bob.commit({"envs/prod/web.yaml": "v: 2", "envs/prod/new.yaml": "n"}, "Change")
    bob.push_commit({"envs/prod2/x": "1", "README": None}, "Elsewhere")
    writer.refresh()

    assert writer.changed_since(first, ["envs/prod"]) == (
        *("envs/prod/new.yaml", "envs/prod/web.yaml"),
    )
    assert writer.changed_since(first, ["README", "envs/prod2"]) == (
        *("README", "envs/prod2/x"),
    )
    assert len(writer.changed_since(first, ["", "envs/prod"])) == 4
    assert writer.changed_since(first, ["README", "a" * 200_000]) == ("README",)
    assert writer.changed_since(writer.head(), ["envs"]) == ()


def test_a_commit_that_the_branch_lacks_cannot_be_compared_with(writer):
    with pytest.raises(TerminalError, match="is not on main"):
        writer.changed_since("f" * 40, ["envs"])


def test_the_commit_can_be_looked_at_before_it_is_pushed(writer, bare):
    sha = writer.commit({"a.yaml": b"a: 1\n"}, "Add a")

    shown = writer.show(sha)

    assert "Add a" in shown
    assert "+a: 1" in shown
    assert run_git(bare, "log", "-1", "--format=%s", "main") == "First"


def test_a_push_that_comes_second_is_told_and_written_again_after_a_refresh(
    writer, bare, bob
):
    writer.commit({"approvals.yaml": b"- ann\n"}, "Approve")
    bobs = bob.push_commit({"approvals.yaml": "- bob\n"}, "Approve too")

    rejected = writer.push()
    assert isinstance(rejected, PushRejected)
    assert rejected.is_stale

    assert writer.refresh() == bobs
    assert writer.read("approvals.yaml") == b"- bob\n"
    again = writer.commit({"approvals.yaml": b"- bob\n- ann\n"}, "Approve")
    assert writer.push() == Pushed(sha=again)
    assert run_git(bare, "rev-list", "--count", "main") == "3"


def test_a_hook_of_the_server_that_says_no_is_told_with_its_reason(writer, bare):
    hook = bare / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    writer.commit({"a": b"1"}, "A")

    rejected = writer.push()

    assert isinstance(rejected, PushRejected)
    assert not rejected.is_stale
    assert "hook declined" in rejected.message


def test_a_folder_is_restored_as_it_was_with_files_added_since_removed(
    writer, bare, bob
):
    good = bob.head()
    bob.push_commit(
        {"envs/prod/web.yaml": "v: 2", "envs/prod/new.yaml": "n: 1"}, "More"
    )
    bob.push_commit({"envs/staging/web.yaml": "v: 2"}, "Elsewhere")
    writer.refresh()

    sha = writer.restore(["envs/prod"], good, "Roll prod back")

    assert writer.push() == Pushed(sha=sha)
    changed = run_git(bare, "diff", "--name-status", "main~1", "main").splitlines()
    assert changed == ["D\tenvs/prod/new.yaml", "M\tenvs/prod/web.yaml"]
    assert writer.restore(["envs/prod"], good, "Again") is None


def test_a_person_unknown_to_git_is_told_how_to_be_known(writer, ann_at_her_desk):
    assert writer.identity() == Person(name="Ann", email="ann@example.com")
    ann_at_her_desk.write_text("")

    with pytest.raises(TerminalError, match=r"git config --global user\.name"):
        writer.commit({"a": b"1"}, "A")


def test_the_first_commit_of_an_empty_repository_can_be_made(tmp_path):
    bare = bare_repository(tmp_path / "empty.git")
    with GitCliWriter.in_passing_clone(str(bare), "main") as writer:
        assert writer.refresh() is None
        assert writer.read("a") is None

        sha = writer.commit({"a": b"1"}, "First")

        assert writer.push() == Pushed(sha=sha)


def test_the_work_tree_follows_and_keeps_what_is_not_committed(tree, bob):
    (tree.path / "README").write_text("my draft")
    (tree.path / "notes").write_text("untracked")
    bob.push_commit({"b": "1"}, "Bob's")

    with GitCliWriter.in_work_tree(tree.path, "main") as writer:
        writer.refresh()
        sha = writer.commit({"envs/prod/approvals.yaml": b"x"}, "Approve")

    assert tree.head() == sha
    assert (tree.path / "envs/prod/approvals.yaml").read_bytes() == b"x"
    assert (tree.path / "README").read_text() == "my draft"
    assert tree.git("status", "--porcelain").splitlines() == [" M README", "?? notes"]


def test_commits_of_the_persons_own_are_never_pushed_along(tree, bob):
    tree.commit({"mine": "1"}, "Mine")

    with (
        GitCliWriter.in_work_tree(tree.path, "main") as writer,
        pytest.raises(TerminalError, match="not on the remote") as caught,
    ):
        writer.refresh()

    assert caught.value.reason == WriterReason.WORK_TREE_IN_THE_WAY


def test_another_branch_checked_out_is_told_with_the_command_that_helps(tree):
    tree.branch("feature")

    with (
        GitCliWriter.in_work_tree(tree.path, "main") as writer,
        pytest.raises(TerminalError, match="run `git switch main`"),
    ):
        writer.refresh()


def test_a_change_in_the_way_is_never_overwritten(tree, bob):
    (tree.path / "README").write_text("my draft")
    bob.push_commit({"README": "bob's"}, "Bob's")

    with (
        GitCliWriter.in_work_tree(tree.path, "main") as writer,
        pytest.raises(TerminalError, match="commit or stash them"),
    ):
        writer.refresh()

    assert (tree.path / "README").read_text() == "my draft"


def test_a_place_that_is_no_work_tree_is_told(tmp_path):
    with pytest.raises(TerminalError, match="in no work tree"):
        GitCliWriter.in_work_tree(tmp_path, "main")


def test_commits_are_signed_where_the_person_signs(tree, ann_at_her_desk, tmp_path):
    from tests.gitserver import make_key

    key = make_key(tmp_path / "key")
    with ann_at_her_desk.open("a") as config:
        config.write(
            f"\tsigningKey = {key}\n[gpg]\n\tformat = ssh\n[commit]\n\tgpgSign = true\n"
        )

    with GitCliWriter.in_work_tree(tree.path, "main") as writer:
        sha = writer.commit({"a": b"1"}, "Signed")

    assert "BEGIN SSH SIGNATURE" in tree.git("cat-file", "commit", sha)


def test_a_remote_that_is_away_is_worth_another_try_and_a_refused_login_is_not(
    bare, bob
):
    with (
        GitHttpServer(bare.parent) as server,
        GitCliWriter.in_passing_clone(server.url(bare), "main") as writer,
    ):
        server.misbehave = 503
        with pytest.raises(TransientError, match="answered 503"):
            writer.refresh()
        server.misbehave = 403
        with pytest.raises(TerminalError, match="not allowed"):
            writer.refresh()


def test_variables_of_a_hook_that_calls_us_do_not_lead_elsewhere(
    tree, bare, bob, monkeypatch, tmp_path
):
    other = GitWorkTree.init(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))

    with GitCliWriter.in_work_tree(tree.path, "main") as writer:
        writer.refresh()
        sha = writer.commit({"a": b"1"}, "Here")
        assert writer.push() == Pushed(sha=sha)

    assert not (other.path / "a").exists()
