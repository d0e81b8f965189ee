"""`onFailure: revert`: the daemon goes back by itself, once, and only where it may."""

from datetime import timedelta

import pytest

from gitops_wf.core.config import PushConfig
from gitops_wf.core.environment import Subscription
from gitops_wf.core.errors import TransientError
from gitops_wf.core.phases import Phase
from gitops_wf.ports.executor import DeliveryWork
from gitops_wf.ports.runner import StepResult
from gitops_wf.services.announce import Announcer
from gitops_wf.services.brake import Brake
from gitops_wf.services.revert_failed import LOOK_EVERY, TRY_AGAIN, RevertFailed
from tests.gitserver import run_git
from tests.releases import ReleaseLine

ENVIRONMENT = (
    "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\nonFailure: revert\n"
)


class RevertingLine(ReleaseLine):
    """A release line whose daemon may commit."""

    def __init__(self, path):
        super().__init__(path, push=PushConfig())
        self.begin_anew()

    def begin_anew(self):
        """A daemon that has nothing but the store and the clone."""
        channels = {"ops": {"type": "webhook", "url": {"value": "http://ops/"}}}
        self.reverts = RevertFailed(
            store=self.store,
            clock=self.clock,
            announcer=Announcer(
                executor=self.executor,
                channels=channels,
                subscriptions=(
                    Subscription(channel="ops", events=("reverted", "notReverted")),
                ),
            ),
            writers=self.writers,
        )

    def _carry_out(self, work):
        if not isinstance(work, DeliveryWork):  # messages stay in the outbox
            self.attempts.carry_out(work)

    def turn(self):
        """Let the daemon look, and take in what it did."""
        self.reverts.act()
        self.clock.pass_time(max(LOOK_EVERY, TRY_AGAIN))
        self.settle()

    def log(self, form="%s"):
        return run_git(self.remote, "log", "-1", f"--format={form}", "main")

    def count(self):
        return int(run_git(self.remote, "rev-list", "--count", "main"))

    def told(self):
        return [(e.kind, e.revision) for e in self.events() if "everted" in e.kind]


@pytest.fixture
def line(tmp_path):
    line = RevertingLine(tmp_path)
    line.commit({"envs/prod/environment.yaml": ENVIRONMENT, "envs/prod/cm.yaml": "a"})
    line.settle()
    yield line
    line.close()


def fail(line, **files):
    sha = line.commit(
        {"envs/prod/cm.yaml": "b", "envs/prod/outcome": "fail", **files}, "Break it"
    )
    line.settle()
    return sha


def test_a_failed_revision_is_reverted_and_the_revert_is_released(line):
    bad = fail(line)

    line.turn()

    assert line.phases("prod") == ["Succeeded", "Failed/StepFailed", "Succeeded"]
    assert line.revisions("prod")[2].rollback_of == 1
    assert line.log("%an %s") == "Deployer Revert prod#2: it failed"
    assert f"This reverts commit {bad}" in line.log("%b")
    assert run_git(line.remote, "diff", "--name-only", "main~2", "main") == ""
    assert line.told() == [("reverted", 2)]


def test_it_is_told_to_those_who_asked(line):
    fail(line)
    line.turn()

    with line.store.read() as reader:
        [event] = [e for e in reader.events() if e.kind == "reverted"]
        message = reader.delivery(1).message

    assert event.message.startswith("prod#2 main@sha1:")
    assert "reverted by commit" in event.message
    assert message.payload["subject"] == "prod#2 was reverted"


def test_without_on_failure_nothing_is_reverted(line):
    text = ENVIRONMENT.replace("onFailure: revert\n", "")
    fail(line, **{"envs/prod/environment.yaml": text})
    count = line.count()

    line.turn()

    assert (line.count(), line.told()) == (count, [])


def test_a_daemon_that_died_before_it_could_note_the_push_makes_no_second(line):
    fail(line)
    line.reverts.act()
    pushed = line.log("%H")
    with line.store.transaction() as transaction:
        transaction.forget_events("shop/prod", 0, limit=1000)
    line.begin_anew()

    line.turn()

    assert line.log("%H") == pushed
    assert line.told() == [("reverted", 2)]


def test_two_daemons_push_the_same_commit_and_tell_it_once(line):
    fail(line)
    line.reverts.act()
    pushed = line.log("%H")
    run_git(line.remote, "update-ref", "refs/heads/main", "main~1")
    with line.store.transaction() as transaction:
        transaction.forget_events("shop/prod", 0, limit=1000)
    line.begin_anew()

    line.reverts.act()

    assert line.log("%H") == pushed


def test_what_could_not_be_found_out_is_not_reverted(line):
    name = line.run("prod").steps[-1].name
    line.deploy.results[name] = StepResult(
        phase=Phase.ERRORED, message="no answer", is_final=True
    )
    line.commit({"envs/prod/cm.yaml": "b"})
    line.settle()
    count = line.count()

    line.turn()

    assert line.phases("prod")[-1].startswith("Errored")
    assert (line.count(), line.told()) == (count, [])


def test_a_revert_that_fails_is_not_reverted(line):
    fail(line)
    line.deploy.fail.update(step.name for step in line.run("prod").steps)
    line.reverts.act()
    line.settle()
    count = line.count()
    assert line.phases("prod")[-1] == "Failed/StepFailed"

    line.clock.pass_time(TRY_AGAIN)
    line.turn()

    assert line.count() == count
    assert line.told() == [("reverted", 2)]


def test_what_is_newer_on_the_branch_is_left_alone(line):
    fail(line)
    line.commit({"envs/prod/cm.yaml": "c", "envs/prod/outcome": "ok"}, "Mend it")
    count = line.count()

    line.reverts.act()

    assert (line.count(), line.log(), line.told()) == (count, "Mend it", [])


def test_a_decision_on_the_branch_is_no_newer_change(line):
    fail(line)
    line.commit({"envs/prod/README.md": "words"}, "Say why")

    line.turn()

    assert line.told() == [("reverted", 2)]


def test_other_environments_of_the_same_commit_stay_as_they_are(line):
    line.commit({"envs/test/environment.yaml": ENVIRONMENT, "envs/test/cm.yaml": "a"})
    line.settle()
    fail(line, **{"envs/test/cm.yaml": "b"})

    line.turn()

    assert run_git(line.remote, "show", "main:envs/test/cm.yaml") == "b"
    assert run_git(line.remote, "show", "main:envs/prod/cm.yaml") == "a"
    assert line.phases("test") == ["Succeeded", "Succeeded"]


def test_paths_that_others_use_are_refused_and_told_once(line):
    watch = ENVIRONMENT + "watch: [../../base]\n"
    line.commit(
        {
            "base/values.yaml": "1",
            "envs/prod/environment.yaml": watch,
            "envs/test/environment.yaml": watch,
            "envs/test/cm.yaml": "a",
        }
    )
    line.settle()
    fail(line, **{"base/values.yaml": "2"})
    count = line.count()

    line.turn()
    line.begin_anew()
    line.turn()

    assert line.count() == count
    numbers = [number for kind, number in line.told() if kind == "notReverted"]
    assert numbers == [line.revisions("prod")[-1].number]
    [event] = [e for e in line.events() if e.kind == "notReverted"]
    assert "base/values.yaml is an input of test too" in event.message


def test_where_nothing_was_ever_released_there_is_nothing_to_go_back_to(line):
    line.commit({"envs/new/environment.yaml": ENVIRONMENT, "envs/new/outcome": "fail"})
    line.settle()

    line.turn()

    assert line.told() == [("notReverted", 1)]


def test_nothing_is_reverted_while_the_brake_is_on(line):
    fail(line)
    brake = Brake(
        store=line.store, clock=line.clock, by="ann", announcer=line.announcer
    )
    brake.pause(["shop/prod"], "let me look")

    line.turn()
    held = line.told()
    brake.resume(["shop/prod"])
    line.turn()

    assert held == []
    assert line.told() == [("reverted", 2)]


def test_a_remote_that_is_away_is_asked_again(line):
    fail(line)
    refresh = line.git.fetch_beside
    line.git.fetch_beside = lambda: (_ for _ in ()).throw(TransientError("away"))
    line.reverts.act()
    assert line.told() == []
    line.git.fetch_beside = refresh
    line.clock.pass_time(TRY_AGAIN + timedelta(seconds=1))

    line.turn()

    assert line.told() == [("reverted", 2)]


def test_a_push_that_is_forbidden_is_told_once(line):
    hook = line.remote / "hooks/pre-receive"
    fail(line)
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    line.turn()
    line.turn()

    assert line.told() == [("notReverted", 2)]
    [event] = [e for e in line.events() if e.kind == "notReverted"]
    assert event.reason == "PushRejected"
