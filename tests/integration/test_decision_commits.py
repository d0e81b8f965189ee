"""Decisions and rollbacks that a person's command commits, on real repositories."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gitops_wf.adapters.sql_store import open_store
from gitops_wf.adapters.system_clock import SystemClock
from gitops_wf.bootstrap.files import definition_reader
from gitops_wf.bootstrap.writing import open_writer
from gitops_wf.cli.place import FOLDER, Told
from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.decision import Verb
from gitops_wf.core.environment import Commits
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import RunId
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import PolicyRule, Rulebook
from gitops_wf.services.roll_back import RollBack
from gitops_wf.services.write_decision import Wish, WriteDecision
from tests import shop
from tests.commandline import gitops_wf
from tests.gitworktree import BOB, GitWorkTree, bare_repository, run_git
from tests.shop import ANN, POLICIES, PROD, STAGING

APPROVALS = "envs/prod/approvals.yaml"
SEEN = f"sha256:{'1' * 64}"

__all__ = ["gitops_wf"]  # a fixture


@pytest.fixture(autouse=True)
def ann_at_her_desk(tmp_path, monkeypatch):
    """What git finds on a person's machine: their identity, nothing of ours."""
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Ann\n\temail = ann@example.com\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@dataclass
class Shop:
    """A bare repository, two people's work trees, and the daemon's store."""

    bare: Path
    ann: GitWorkTree
    bob: GitWorkTree
    commits: dict[str, str]
    config: DaemonConfig

    def change(self, write) -> None:
        """Let the store's daemon have done something more."""
        store = open_store(self.config.store)
        with store.transaction() as transaction:
            write(transaction)
        store.close()

    def at_remote(self, path: str, rev: str = "main") -> str:
        return run_git(self.bare, "show", f"{rev}:{path}")

    def count(self) -> int:
        return int(run_git(self.bare, "rev-list", "--count", "main"))

    def decide(self, verb, *, push=True, here=None, writer=None, env="prod", **wish):
        query = shop.query(self.config)
        with query.store.read() as reader:
            record = reader.environment(PROD if env == "prod" else STAGING)
        repository = self.config.repositories[0]
        with open_writer(repository, here or self.ann.path) as at:
            return WriteDecision(
                query=query,
                writer=writer(at.writer) if writer else at.writer,
                read_entries=definition_reader(self.config).entries,
                clock=SystemClock(),
                is_watched_itself=at.remote is None,
            ).write(record, Wish(decision=verb, **wish), push=push)

    def roll_back(self, number=None, *, push=True, here=None):
        query = shop.query(self.config)
        with query.store.read() as reader:
            record = reader.environment(PROD)
        with open_writer(self.config.repositories[0], here or self.ann.path) as at:
            return RollBack(store=query.store, writer=at.writer).write(
                record, number, push=push
            )


@pytest.fixture
def place(tmp_path):
    bare = bare_repository(tmp_path / "srv" / "shop.git")
    bob = GitWorkTree.init(tmp_path / "bob", remote=str(bare))
    bob.author = BOB
    commits = {}
    for letter in "abc":
        files = {f"envs/{name}/web.yaml": letter for name in ("prod", "staging")}
        files["base/values.yaml"] = letter
        commits[letter] = bob.push_commit(files, f"Release {letter}")
    ann = GitWorkTree.clone(str(bare), tmp_path / "ann")
    directory = tmp_path / "daemon"
    directory.mkdir()
    config = shop.fill(directory, commits=commits, url=str(bare))
    return Shop(bare, ann, bob, commits, config)


def test_an_approval_is_committed_and_pushed_as_the_person(place):
    written = place.decide(Verb.APPROVE)

    assert written.is_pushed
    assert place.at_remote(APPROVALS) == (
        "approvals:\n"
        f"  - {{revision: '{place.commits['c']}', step: go-live, decision: approve,"
        " by: ann@example.com}"
    )
    assert run_git(place.bare, "log", "-1", "--format=%an %ae %s", "main") == (
        "Ann ann@example.com Approve prod#3 go-live"
    )
    assert "+  - {revision:" in written.shown


def test_an_approval_may_pin_what_was_delivered(place):
    def deliver(transaction):
        """Run it again, with `deploy` first, which has delivered."""
        run = transaction.active_run(PROD)
        go_live, deploy = run.steps
        again = replace(
            run,
            id=RunId(f"{PROD}#3.2"),
            ordinal=2,
            workflow=replace(run.workflow, steps=run.workflow.steps[::-1]),
            steps=(replace(deploy, digest=SEEN), go_live),
        )
        transaction.save_run(replace(run, phase=Phase.ABORTED, seq=run.seq + 1))
        transaction.save_run(again)

    with pytest.raises(TerminalError, match="nothing was delivered before the step"):
        place.decide(Verb.APPROVE, digest=SEEN)
    place.change(deliver)
    with pytest.raises(TerminalError, match=f"deploy delivered {SEEN}"):
        place.decide(Verb.APPROVE, digest="2" * 64)

    place.decide(Verb.APPROVE, digest="1" * 64)

    assert f"run: 2, digest: '{SEEN}'" in place.at_remote(APPROVALS)


def test_without_push_the_commit_stays_in_the_work_tree(place):
    written = place.decide(Verb.APPROVE, push=False)

    assert not written.is_pushed
    assert place.ann.head() == written.sha
    assert place.count() == 3


def test_away_from_a_work_tree_a_passing_clone_does(place, tmp_path):
    written = place.decide(Verb.APPROVE, here=tmp_path)

    assert written.is_pushed
    assert run_git(place.bare, "rev-parse", "main") == written.sha


def test_away_from_a_work_tree_a_commit_that_is_not_pushed_is_refused(
    place, tmp_path, monkeypatch, gitops_wf
):
    directory = Path(place.config.directory).rename(tmp_path / FOLDER)
    Told(directory=directory, repository=place.bare).remember()
    monkeypatch.chdir(tmp_path)

    for command in ("approve", "rollback"):
        result = gitops_wf(command, "prod")

        assert result.code == 1
        assert "nothing was written" in result.err
        assert f"{command} again with --push" in result.err
    assert place.count() == 3


def test_comments_and_layout_of_the_file_stay(place):
    old = f"# Who may ship?\napprovals:\n- {{revision: '{'d' * 40}', decision: reject}}  # Eve\n"
    place.bob.push_commit({APPROVALS: old}, "Reject")

    place.decide(Verb.APPROVE, comment="EU looks right")

    assert place.at_remote(APPROVALS).startswith(old)
    assert "comment: 'EU looks right'" in place.at_remote(APPROVALS)


def test_where_there_is_a_folder_of_decisions_each_has_its_file(place):
    place.bob.push_commit(
        {f"envs/prod/approvals/{name}": "" for name in ("README.md", "old.yaml")}
    )

    written = place.decide(Verb.APPROVE)

    name = f"{place.commits['c'][:12]}-go-live-approve-ann@example.com.yaml"
    assert written.path == f"envs/prod/approvals/{name}"
    assert f"revision: '{place.commits['c']}'" in place.at_remote(written.path)


def test_a_push_that_comes_second_is_written_again_on_what_came_first(place):
    class Hindered:
        """The writer, with Bob pushing between its first commit and its push."""

        def __init__(self, writer):
            self.writer, self.pushes = writer, 0

        def __getattr__(self, name):
            return getattr(self.writer, name)

        def push(self):
            self.pushes += 1
            if self.pushes == 1:
                place.bob.push_commit(
                    {
                        APPROVALS: "approvals:\n  - {revision: '"
                        + place.commits["c"]
                        + "', step: go-live, decision: approve}\n"
                    },
                    "Bob approves",
                )
            return self.writer.push()

    written = place.decide(Verb.APPROVE, writer=Hindered)

    assert written.is_pushed
    lines = place.at_remote(APPROVALS).splitlines()
    assert len(lines) == 3
    assert "by: ann@example.com" in lines[2]
    assert place.count() == 5


def test_a_decision_that_became_useless_meanwhile_is_not_pushed(place):
    class Hindered:
        def __init__(self, writer):
            self.writer = writer

        def __getattr__(self, name):
            return getattr(self.writer, name)

        def push(self):
            place.bob.push_commit({"envs/prod/web.yaml": "d"}, "Release d")
            return self.writer.push()

    with pytest.raises(TerminalError, match=r"newer changes of prod .*web.yaml"):
        place.decide(Verb.APPROVE, writer=Hindered)

    assert run_git(place.bare, "log", "-1", "--format=%s", "main") == "Release d"


def test_a_server_that_refuses_is_told_with_its_words(place):
    hook = place.bare / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    with pytest.raises(TerminalError, match=r"refused the push: .*hook declined"):
        place.decide(Verb.APPROVE)


def test_the_same_approval_is_not_written_twice(place):
    place.decide(Verb.APPROVE)

    with pytest.raises(TerminalError, match=r"stands in .*approvals.yaml:2 already"):
        place.decide(Verb.APPROVE)


@pytest.mark.parametrize(
    ("verb", "wish", "message"),
    [
        (Verb.APPROVE, {"number": 2}, "#2 has ended: Failed/StepFailed"),
        (Verb.APPROVE, {"step": "deploy2"}, "deploy2 does not wait for an approval"),
        (Verb.APPROVE, {"number": 9}, "prod has no revision #9"),
        (Verb.APPROVE, {"commit": "f" * 40}, "is no revision of prod"),
        (Verb.RETRY, {}, "#3 has not ended yet"),
        (Verb.RETRY, {"number": 2}, "#3 is newer"),
        (Verb.ABORT, {"number": 1}, "#1 has ended"),
    ],
)
def test_a_decision_that_would_not_act_is_not_written(place, verb, wish, message):
    with pytest.raises(TerminalError, match=message):
        place.decide(verb, **wish)

    assert place.count() == 3


def test_a_person_whom_the_policy_does_not_know_is_told_before_committing(place):
    policy = replace(POLICIES["two of three"], approvers=("eve@example.com",))
    rule = PolicyRule(environments=("prod",), policy=policy)
    place.config = replace(place.config, rulebook=Rulebook(rules=(rule,)))

    with pytest.raises(TerminalError, match=f"{ANN} is not among the approvers"):
        place.decide(Verb.REJECT)


def test_a_revision_may_be_named_by_a_part_of_its_commit(place):
    written = place.decide(Verb.REJECT, commit=place.commits["c"][:9])

    assert written.revision.number == 3
    assert place.commits["c"] in place.at_remote(APPROVALS)


def test_a_retry_names_the_run_so_that_a_second_one_acts_too(place):
    def fail(transaction):
        revision = transaction.revision(PROD, 3)
        transaction.save_revision(replace(revision, phase=Phase.FAILED))

    place.change(fail)

    written = place.decide(Verb.RETRY)

    assert written.entry.run == 1
    assert "decision: retry, by: ann@example.com, run: 1}" in place.at_remote(APPROVALS)


def test_an_approval_under_strict_does_not_mind_newer_commits(place):
    def strict(transaction):
        record = transaction.environment(PROD)
        definition = replace(record.definition, commits=Commits.STRICT)
        transaction.save_environment(replace(record, definition=definition))

    place.change(strict)
    place.bob.push_commit({"envs/prod/web.yaml": "d"}, "Release d")

    assert place.decide(Verb.APPROVE).is_pushed


def test_a_watched_work_tree_is_committed_to_and_never_pushed(place):
    repository = replace(place.config.repositories[0], url=str(place.ann.path))
    place.config = replace(place.config, repositories=(repository,))

    written = place.decide(Verb.APPROVE)

    assert place.ann.head() == written.sha
    assert place.count() == 3


def test_a_rollback_makes_the_inputs_what_they_were_and_keeps_decisions(place):
    place.bob.push_commit({APPROVALS: "approvals: []\n"}, "Decide")

    done = place.roll_back()

    assert done.is_pushed
    assert done.paths == ("envs/prod/web.yaml",)
    assert place.at_remote("envs/prod/web.yaml") == "a"
    assert place.at_remote("envs/staging/web.yaml") == "c"
    assert place.at_remote(APPROVALS) == "approvals: []"
    subject = run_git(place.bare, "log", "-1", "--format=%s", "main")
    assert subject == "Roll back prod to #1"


def test_files_that_came_since_go_and_those_that_went_come_back(place):
    place.bob.push_commit(
        {"envs/prod/new.yaml": "n", "envs/prod/web.yaml": None, "envs/prod/a.md": "x"}
    )

    place.roll_back()

    listed = run_git(place.bare, "ls-tree", "--name-only", "main", "envs/prod/")
    assert listed.splitlines() == ["envs/prod/a.md", "envs/prod/web.yaml"]


def test_a_rollback_that_would_change_others_names_them_and_writes_nothing(place):
    def watch(transaction):
        for name in (PROD, STAGING):
            record = transaction.environment(name)
            definition = replace(record.definition, watch=("base",))
            transaction.save_environment(
                replace(record, definition=definition, paths=(record.folder, "base"))
            )

    place.change(watch)

    with pytest.raises(
        TerminalError, match=r"base/values.yaml is an input of staging too"
    ):
        place.roll_back()

    assert place.count() == 3


def test_watched_paths_of_nobody_else_go_back_as_well(place):
    def watch(transaction):
        record = transaction.environment(PROD)
        definition = replace(record.definition, watch=("base",))
        transaction.save_environment(
            replace(record, definition=definition, paths=(record.folder, "base"))
        )

    place.change(watch)

    assert place.roll_back().paths == ("base/values.yaml", "envs/prod/web.yaml")


def test_a_rollback_to_what_is_there_already_says_what_else_there_is(place):
    place.roll_back()

    with pytest.raises(TerminalError, match="prod already is as #1 was"):
        place.roll_back()


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (2, "#2 is Failed: only a revision that succeeded"),
        (3, "#3 is Suspended"),
        (7, "prod has no revision #7"),
    ],
)
def test_only_a_revision_that_succeeded_can_be_gone_back_to(place, number, message):
    with pytest.raises(TerminalError, match=message):
        place.roll_back(number)


def test_content_that_was_rejected_cannot_be_gone_back_to(place):
    def bar(transaction):
        revision = transaction.revision(PROD, 1)
        transaction.save_revision(replace(revision, barred=True))

    place.change(bar)

    with pytest.raises(TerminalError, match="#1 was rejected"):
        place.roll_back()


def test_a_folder_that_moved_since_is_not_emptied(place):
    def move(transaction):
        record = transaction.environment(PROD)
        transaction.save_environment(replace(record, folder="live/prod"))

    place.change(move)

    with pytest.raises(TerminalError, match="was in envs/prod, and prod is in live/pr"):
        place.roll_back()
