"""What comes back after a loss: of the store, a backup, a target, an instance's name.

Git and the targets are real (folders as targets), the clock is the test's. What was
written is asked of the folders, never of the store.
"""

import shutil
from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_wf.adapters.directory_target import DirectoryCluster
from gitops_wf.core.errors import TransientError
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.policy import Gate, Policy, PolicyRule, Rulebook
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from gitops_wf.steps.prune_departed import STEP_TYPE as PRUNE
from tests.gitworktree import ANN, BOB
from tests.releases import FewStepTypes, Folders, ReleaseLine, approval

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
PLAIN = HEAD + "  - {name: out, type: deploy2env, properties: {target: eu}}\n"
TWO = (
    HEAD
    + "  - {name: eu, type: deploy2env, properties: {target: eu}}\n"
    + "  - {name: go-live, type: suspend}\n"
    + "  - {name: us, type: deploy2env, properties: {target: us}}\n"
)
LAST_IS_A_JOB = (
    HEAD
    + "  - {name: eu, type: deploy2env, properties: {target: eu}}\n"
    + "  - {name: go-live, type: suspend}\n"
    + "  - {name: seed, type: run-job, properties: {target: eu}}\n"
)
FILE = "envs/prod/approvals.yaml"


class Types(FewStepTypes):
    """Those of release lines, with the real delivery and its prune."""

    def get(self, name):
        return {DEPLOY.name: DEPLOY, PRUNE.name: PRUNE}.get(name) or super().get(name)


class Witnessed(DirectoryCluster):
    """Notes down each LIST."""

    def __init__(self, root, listed):
        super().__init__(root)
        self.listed = listed

    def list(self, resource, namespace="", label_selector=""):
        self.listed.append(resource.kind)
        return super().list(resource, namespace, label_selector)


class Targets(Folders):
    """Folders, of which some are away."""

    def __init__(self, root):
        super().__init__(root)
        self.away = set()
        self.listed = []

    def cluster(self, target, environment):
        if target in self.away:
            raise TransientError("no connection in time")
        witnessed = Witnessed(self.root / target, self.listed)
        return self.opened.setdefault(target, witnessed)

    def files(self):
        """Everything that is there."""
        return {p: p.read_bytes() for p in self.root.rglob("*") if p.is_file()}

    def value(self, target):
        path = self.root / target / "default" / "configmap-web.yaml"
        return path.read_text().split("value: ")[1].split()[0] if path.exists() else ""

    def forget(self, target):
        """Delete the inventories of a target."""
        for file in (self.root / target).rglob("configmap-gitops-wf.*"):
            file.unlink()


@pytest.fixture
def targets(tmp_path):
    return Targets(tmp_path / "targets")


@pytest.fixture
def line(tmp_path, targets):
    line = ReleaseLine(
        tmp_path,
        targets=("eu", "us"),
        capabilities={
            "clusters": targets,
            "manifests": read_manifests,
            "digest_key": Secret("key"),
        },
    )
    line.catalogue = Types(line.deploy)
    line.restart()
    yield line
    line.close()


def content(value):
    return (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
        f"data: {{value: {value}}}\n"
    )


def push(line, value, flow=None, *, env="prod", **more):
    files = {f"envs/{env}/web.yaml": content(value)}
    if flow is not None:
        files[f"envs/{env}/workflow.yaml"] = flow
    sha = line.commit(files | more.pop("files", {}), f"Set {value}", **more)
    line.settle()
    return sha


def decide(line, sha, step="go-live", **more):
    author = more.setdefault("by", ANN)
    path = more.pop("path", FILE)
    commit = line.commit({path: approval(sha, step, **more)}, "Decide", author=author)
    line.settle()
    return commit


def noise(line, count=2):
    """Commits that change nothing of any environment."""
    for number in range(count):
        line.commit({"README.md": f"{number}"}, "Write")


def newest(line, env="prod"):
    return line.revisions(env)[-1]


# --- adopted ---


def test_what_the_inventory_proves_is_adopted_and_nothing_is_run_or_told(line, targets):
    push(line, "one", PLAIN)
    two = push(line, "two")
    noise(line)
    line.settle()
    before = targets.files()

    line.lose_store()
    line.settle()

    revision = newest(line)
    assert line.phases("prod") == ["Succeeded/Adopted"]
    assert (revision.number, revision.commit) == (2, two)
    assert revision.released
    assert targets.files() == before
    with line.store.read() as reader:
        assert reader.runs() == []
        assert reader.inventory(revision.environment, "eu").number == 2
    assert [e.kind for e in line.events()] == ["added", "adopted"]


def test_what_waits_for_each_other_since_then_is_adopted_all_the_same(line, targets):
    head = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
    after = head + "after: [{{environment: {}}}]\n"
    push(line, "one", PLAIN.replace("eu", "us"), env="staging")
    own = {"envs/prod/environment.yaml": after.format("staging")}
    push(line, "one", PLAIN, files=own)
    other = {"envs/staging/environment.yaml": after.format("prod")}
    push(line, "two", env="staging", files=other)
    assert line.phases("prod") == ["Succeeded"]
    assert line.phases("staging") == ["Succeeded", "Failed/InvalidDefinition"]
    before = targets.files()

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Succeeded/Adopted"]
    assert line.phases("staging") == ["Failed/InvalidDefinition"]
    assert "which waits for staging" in newest(line, "staging").message
    assert targets.files() == before


def test_an_adopted_revision_is_what_a_revert_after_the_loss_goes_on_from(
    line, targets
):
    push(line, "one", PLAIN)
    line.lose_store()
    line.settle()

    two = push(line, "two")
    line.work.revert(two)
    line.work.push()
    line.settle()

    assert line.phases("prod") == ["Succeeded/Adopted", "Succeeded", "Succeeded"]
    assert [r.number for r in line.revisions("prod")] == [1, 2, 3]
    assert newest(line).rollback_of == 1
    assert targets.value("eu") == "one"


def test_every_inventory_is_read_by_one_request_a_target(line, targets):
    files = {}
    for number in range(12):
        files[f"envs/e{number}/workflow.yaml"] = PLAIN
        files[f"envs/e{number}/web.yaml"] = content("one").replace(
            "web", f"web-{number}"
        )
    line.commit(files)
    line.settle()
    line.lose_store()
    targets.listed.clear()

    line.settle()

    assert {tuple(line.phases(f"e{n}")) for n in range(12)} == {("Succeeded/Adopted",)}
    assert targets.listed == ["ConfigMap"]


# --- half way ---


def test_a_loss_before_the_approval_asks_again_under_the_same_name(line, targets):
    sha = push(line, "one", TWO)
    assert line.phases("prod") == ["Suspended"]
    noise(line)
    line.poll()

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Suspended"]
    assert (newest(line).number, newest(line).commit) == (1, sha)
    decide(line, sha)
    assert line.phases("prod") == ["Succeeded"]
    assert targets.value("us") == "one"


def test_an_approval_given_before_the_loss_counts_and_is_not_asked_again(line, targets):
    sha = push(line, "one", TWO)
    line.commit({FILE: approval(sha, "go-live", by=ANN)}, "Approve", author=ANN)
    noise(line)

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    assert targets.value("us") == "one"
    assert line.run("prod").step("go-live").released == ("ann@example.com",)
    assert "suspended" not in {e.kind for e in line.events()}


def test_an_approval_that_came_by_a_merge_counts_for_its_author(line, targets):
    sha = push(line, "one", TWO)
    line.work.branch("approve")
    line.work.commit({FILE: approval(sha, "go-live", by=BOB)}, "Approve", author=BOB)
    line.work.checkout("main")
    noise(line, 1)
    line.work.merge("approve")
    line.work.push()

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    assert line.run("prod").step("go-live").released == ("bob@example.com",)


def test_two_peoples_identical_lines_count_for_both_after_a_loss(line):
    rule = PolicyRule(environments=("*",), policy=Policy(min_approvals=2))
    line.restart(rulebook=Rulebook(rules=(rule,)))
    sha = push(line, "one", TWO)
    same = {FILE: approval(sha, "go-live", by=None)}
    line.work.branch("other")
    line.work.commit(same, "Approve", author=BOB)
    line.work.checkout("main")
    line.work.commit(same, "Approve", author=ANN)
    line.work.merge("other")
    line.work.push()

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Succeeded"]


def test_an_approval_that_was_withdrawn_before_the_loss_does_not_count(line):
    sha = push(line, "one", TWO)
    line.commit({FILE: approval(sha, "go-live", by=ANN)}, "Approve")
    line.commit({FILE: None}, "Take it back")

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Suspended"]


def test_who_may_not_approve_may_not_by_a_loss(line):
    rule = PolicyRule(
        environments=("*",), policy=Policy(approvers=("ann@example.com",))
    )
    line.restart(rulebook=Rulebook(rules=(rule,)))
    sha = push(line, "one", TWO)
    decide(line, sha, by=BOB)

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Suspended"]
    (decision,) = line.decisions("prod")
    assert "not among the approvers" in decision.reason
    assert "decisionRefused" not in {e.kind for e in line.events()}


def test_an_entry_in_the_commit_of_its_revision_never_counts(line):
    push(line, "one", PLAIN)
    sha = push(line, "two", TWO)
    line.commit(
        {FILE: approval(sha, "go-live", by=ANN), "envs/prod/web.yaml": content("three")}
    )
    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Suspended"]
    assert line.decisions("prod") == []


def test_a_gate_s_approval_before_the_loss_opens_it(line, targets):
    gate = Gate(target=TargetName("eu"), policy=Policy())
    line.restart(rulebook=Rulebook(gates={gate.target: gate}))
    sha = push(line, "one", PLAIN)
    line.commit({FILE: approval(sha, "out", by=ANN)}, "Approve")

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    assert targets.value("eu") == "one"


def test_completed_deliveries_are_not_written_again(line, targets):
    sha = push(line, "one", TWO)
    before = targets.files()

    line.lose_store()
    line.settle()

    assert newest(line).commit == sha
    assert targets.files() == before


def test_a_target_that_is_behind_makes_the_release_go_on(line, targets):
    decide(line, push(line, "one", TWO))
    two = push(line, "two")
    assert (targets.value("eu"), targets.value("us")) == ("two", "one")

    line.lose_store()
    line.settle()
    assert line.phases("prod") == ["Suspended"]
    assert newest(line).number == 2
    decide(line, two)

    assert line.phases("prod") == ["Succeeded"]
    assert targets.value("us") == "two"


def test_what_comes_after_the_last_delivery_is_done_again_and_asked_only_once(line):
    sha = push(line, "one", LAST_IS_A_JOB)
    decide(line, sha)
    assert line.deploy.reached == ["seed on eu"]

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    assert line.run("prod").id == "shop/prod#1.1"
    assert line.deploy.reached == ["seed on eu"] * 2


def test_a_waiting_release_is_never_adopted_for_its_completed_delivery(line):
    push(line, "one", LAST_IS_A_JOB)

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Suspended"]
    assert line.deploy.reached == []


def test_numbering_goes_on_from_the_inventory(line, targets):
    for value in ("one", "two", "three"):
        push(line, value, PLAIN)
    line.commit({"envs/prod/web.yaml": content("four")})

    line.lose_store()
    line.settle()

    assert [r.number for r in line.revisions("prod")] == [4]
    assert line.phases("prod") == ["Succeeded"]
    assert targets.value("eu") == "four"


# --- other decisions ---


def test_a_rejection_before_the_loss_still_ends_it_and_bars_its_inputs(line, targets):
    one = push(line, "one", PLAIN)
    assert one
    two = push(line, "two", TWO)
    decide(line, two, "", decision="reject")
    assert line.phases("prod")[-1] == "Aborted/Rejected"

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Aborted/Rejected"]
    assert newest(line).barred
    assert line.executor.next_due() is None


def test_inputs_that_were_rejected_before_the_loss_never_count_as_a_rollback(line):
    bad = push(line, "bad", TWO)
    decide(line, bad, "", decision="reject")
    push(line, "good", PLAIN)
    line.lose_store()
    line.settle()
    assert line.phases("prod") == ["Succeeded/Adopted"]
    again = push(line, "bad", TWO)
    decide(line, again, path="envs/prod/approvals/again.yaml")
    assert line.phases("prod")[-1] == "Succeeded", newest(line).message
    push(line, "good", PLAIN)
    assert newest(line).rollback_of is not None

    push(line, "bad", TWO)

    assert newest(line).rollback_of is None
    assert line.phases("prod")[-1] == "Suspended"


def test_a_rejection_by_somebody_who_may_not_bars_nothing(line):
    rule = PolicyRule(
        environments=("*",), policy=Policy(approvers=("ann@example.com",))
    )
    line.restart(rulebook=Rulebook(rules=(rule,)))
    one = push(line, "one", PLAIN)
    push(line, "two")
    decide(line, one, "", decision="reject", by=BOB)

    line.lose_store()
    line.settle()

    assert line.record("prod").barred == ()


def test_a_redeployment_before_the_loss_spends_the_approvals_before_it(line):
    sha = push(line, "one", TWO)
    decide(line, sha)
    again = approval(sha, "", by=ANN, decision="redeploy")
    line.commit({"envs/prod/approvals/again.yaml": again}, "Again")
    line.settle()
    assert line.phases("prod") == ["Suspended"]
    assert line.run("prod").id == "shop/prod#1.2"
    # What the inventories say must not stand for the run that waits.
    line.clusters.forget("us")

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Suspended"]
    assert line.run("prod").id == "shop/prod#1.2"
    decide(line, sha, run=2, path="envs/prod/approvals/second.yaml")
    assert line.phases("prod") == ["Succeeded"]


def test_what_was_decided_of_an_adopted_revision_never_acts_again(line, targets):
    sha = push(line, "one", TWO)
    decide(line, sha)
    again = approval(sha, "", by=ANN, decision="redeploy")
    line.commit({"envs/prod/approvals/again.yaml": again}, "Again")
    line.settle()
    decide(line, sha, run=2, path="envs/prod/approvals/second.yaml")
    assert line.phases("prod") == ["Succeeded"]
    before = targets.files()

    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Succeeded/Adopted"]
    assert targets.files() == before
    assert {(d.effect, d.acted) for d in line.decisions("prod")} == {("accepted", True)}


def test_an_abortion_before_the_loss_holds_and_a_retry_after_it_lifts_it(line):
    sha = push(line, "one", TWO)
    decide(line, sha, "", decision="abort")
    line.lose_store()
    line.settle()
    assert line.phases("prod") == ["Aborted/Aborted"]

    decide(line, sha, "", decision="retry", path="envs/prod/approvals/two.yaml")
    assert line.phases("prod") == ["Suspended"]
    line.lose_store()
    line.settle()

    assert line.phases("prod") == ["Suspended"]
    assert line.run("prod").id == "shop/prod#1.2"


# --- targets that cannot be asked ---


def test_a_target_that_is_away_holds_its_environments_and_no_others(line, targets):
    push(line, "one", TWO)
    push(
        line,
        "one",
        PLAIN.replace("eu}", "eu}"),
        env="near",
        files={
            "envs/near/environment.yaml": "apiVersion: gitops-wf.io/v1alpha1\n"
            "kind: Environment\ntargets: [eu]\n",
            "envs/near/web.yaml": content("one").replace("name: web", "name: near"),
        },
    )
    targets.away = {"us"}

    line.lose_store()
    line.settle()

    assert line.phases("near") == ["Succeeded/Adopted"]
    assert line.phases("prod") == []
    condition = line.conditions("prod")["InventoryUnread"]
    assert condition.startswith("target us: no connection in time; nothing of it runs")
    two = push(line, "two")
    assert line.phases("prod") == []
    assert targets.value("eu") == "one"

    targets.away = set()
    line.settle()

    assert line.phases("prod") == ["Suspended"]
    assert newest(line).commit == two
    assert line.conditions("prod") == {}
    assert len([e for e in line.events() if e.kind == "inventoryUnread"]) == 1


def test_a_decision_that_comes_while_a_target_is_away_counts_afterwards(line, targets):
    sha = push(line, "one", TWO)
    targets.away = {"us"}
    line.lose_store()
    line.settle()

    decide(line, sha)
    assert line.decisions("prod") == []
    targets.away = set()
    line.settle()

    assert line.phases("prod") == ["Succeeded"]


def test_an_inventory_that_cannot_be_read_is_never_guessed(line, targets):
    push(line, "one", PLAIN)
    (file,) = targets.root.rglob("configmap-gitops-wf.*")
    file.write_text(file.read_text().replace("number: '1'", "number: many"))

    line.lose_store()
    line.settle()

    assert line.phases("prod") == []
    condition = line.conditions("prod")["InventoryUnread"]
    assert "cannot be read as an inventory" in condition
    assert "restore it, or delete it to start anew" in condition


# --- old backups ---


def test_a_restored_backup_runs_nothing_that_is_behind_the_cluster(
    line, targets, tmp_path
):
    push(line, "one", PLAIN)
    backup = line.back_up(tmp_path / "backup.db")
    for value in ("two", "three"):
        push(line, value)
    before = targets.files()

    line.lose_store(backup)
    line.settle()

    assert line.phases("prod") == ["Succeeded", "Succeeded/Adopted"]
    assert [r.number for r in line.revisions("prod")] == [1, 3]
    assert [r.released for r in line.revisions("prod")] == [False, True]
    assert targets.files() == before
    push(line, "four")
    assert newest(line).number == 4


def test_a_restored_backup_s_unfinished_run_is_ended_and_the_head_goes_on(
    line, targets, tmp_path
):
    one = push(line, "one", TWO)
    backup = line.back_up(tmp_path / "backup.db")
    decide(line, one)
    two = push(line, "two")
    decide(line, two, path="envs/prod/approvals/two.yaml")
    line.commit({"envs/prod/web.yaml": content("three")})
    assert targets.value("us") == "two"

    line.lose_store(backup)
    line.settle()

    assert line.phases("prod") == ["Aborted/StoreBehind", "Suspended"]
    assert newest(line).number == 3
    assert (targets.value("eu"), targets.value("us")) == ("three", "two")


def test_an_environment_that_a_backup_never_saw_comes_back_too(line, targets, tmp_path):
    push(line, "one", PLAIN)
    backup = line.back_up(tmp_path / "backup.db")
    push(line, "two")
    push(
        line,
        "one",
        PLAIN,
        env="later",
        files={
            "envs/later/web.yaml": content("one").replace("name: web", "name: later")
        },
    )
    before = targets.files()

    line.lose_store(backup)
    line.settle()

    assert line.phases("later") == ["Succeeded/Adopted"]
    assert targets.files() == before


def test_a_backup_s_attempt_is_refused_by_the_inventory_itself(line, targets, tmp_path):
    """The queue of a backup may be quicker than the first poll."""
    line.commit(
        {"envs/prod/web.yaml": content("one"), "envs/prod/workflow.yaml": PLAIN}
    )
    line.poll()
    waiting = list(line.executor._waiting)
    backup = line.back_up(tmp_path / "backup.db")
    line.executor._waiting = list(waiting)
    line.work_off()
    push(line, "two")
    before = targets.files()

    line.lose_store(backup)
    line.executor._waiting = list(waiting)
    line.work_off()

    (revision,) = line.revisions("prod")
    assert line.phases("prod") == ["Errored/StoreBehind"]
    assert "older than what is delivered" in revision.message
    assert targets.files() == before
    line.settle()
    assert line.phases("prod") == ["Errored/StoreBehind", "Succeeded/Adopted"]


def test_a_cluster_restored_from_a_backup_is_told_and_mended_by_a_redeployment(
    line, targets
):
    push(line, "one", PLAIN)
    old = targets.files()
    two = push(line, "two")
    for path, data in old.items():
        path.write_bytes(data)

    line.restart()
    line.settle()

    assert line.phases("prod") == ["Succeeded", "Succeeded"]
    (event,) = [e for e in line.events() if e.reason == "InventoryBehind"]
    assert "target eu: the inventory is of #1, and #2 was delivered" in event.message
    decide(line, two, "", decision="redeploy")
    assert targets.value("eu") == "two"


# --- globs, instances ---


def test_a_new_glob_adopts_what_was_delivered_and_runs_what_was_not(line, targets):
    push(line, "one", PLAIN)
    line.commit(
        {
            "more/new/web.yaml": content("new").replace("name: web", "name: new"),
            "more/new/workflow.yaml": PLAIN,
        }
    )
    line.settle()
    globs = ("envs/*", "more/*")
    config = replace(line.watched.config, environments=globs)
    line.watched = replace(line.watched, config=config)

    line.restart()
    line.settle()

    assert line.phases("new") == ["Succeeded"]
    assert line.phases("prod") == ["Succeeded"]


def test_a_renamed_instance_is_another_daemon_until_it_adopts(line, targets):
    push(line, "one", PLAIN)
    line.restart(instance="renamed")

    push(line, "two")

    assert line.phases("prod")[-1] == "Errored/OwnedByAnother"
    assert "instance test wrote" in newest(line).message
    assert "only its `instance` was renamed" in newest(line).message
    line.restart(instance="renamed", adopt=True)
    line.settle()
    assert line.phases("prod")[-1] == "Succeeded"
    assert targets.value("eu") == "two"


def test_a_second_daemon_with_a_store_of_its_own_ends_at_once_and_names_the_first(
    line, targets
):
    push(line, "one", PLAIN)
    before = targets.files()

    line.lose_store(instance="second")
    line.settle()

    assert line.phases("prod") == ["Errored/OwnedByAnother"]
    assert "instance test wrote" in newest(line).message
    assert targets.files() == before


def test_a_daemon_that_was_silent_for_a_day_is_followed(line, targets):
    push(line, "one", PLAIN)
    line.clock.pass_time(timedelta(days=2))

    line.lose_store(instance="second")
    line.settle()

    assert line.phases("prod") == ["Succeeded/Adopted"]


def test_the_commit_is_the_one_that_last_changed_the_inputs(line):
    line.commit(
        {"envs/prod/web.yaml": content("one"), "envs/prod/workflow.yaml": PLAIN}
    )
    line.commit({"envs/prod/web.yaml": content("two")})
    back = line.commit({"envs/prod/web.yaml": content("one")})
    line.commit({"envs/prod/README.md": "no input", FILE: "approvals: []\n"})
    noise(line)

    line.settle()

    (revision,) = line.revisions("prod")
    assert (revision.commit, revision.subject) == (back, "Change")


def test_a_workflow_that_was_mended_since_is_taken_from_the_head(line):
    shared = (
        "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
        "workflow: {ref: ../../flows/one.yaml}\ntargets: [eu]\n"
    )
    line.commit(
        {
            "envs/prod/environment.yaml": shared,
            "envs/prod/web.yaml": content("one"),
            "flows/one.yaml": "nonsense",
        }
    )
    head = line.commit({"flows/one.yaml": PLAIN})

    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    assert newest(line).commit == head


# --- the clone ---


def lose_clone(line):
    line.git.close()
    shutil.rmtree(line.store_file.parent / "clone.git")


def truncate_packs(line):
    line.git.close()
    for pack in (line.store_file.parent / "clone.git").rglob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:40])


def break_refs(line):
    line.git.close()
    for ref in (line.store_file.parent / "clone.git" / "refs").rglob("*"):
        if ref.is_file():
            ref.write_text("nonsense\n")
    (line.store_file.parent / "clone.git" / "packed-refs").unlink(missing_ok=True)


@pytest.mark.parametrize("damage", [lose_clone, truncate_packs, break_refs])
def test_a_clone_lost_in_the_middle_of_a_release_is_made_anew(line, targets, damage):
    sha = push(line, "one", TWO)
    damage(line)
    decide(line, sha)
    for _ in range(3):
        line.settle()
        line.wait(timedelta(minutes=1))

    assert line.phases("prod") == ["Succeeded"]
    assert targets.value("us") == "one"


@pytest.mark.parametrize("damage", [lose_clone, truncate_packs, break_refs])
def test_a_clone_lost_before_an_attempt_is_made_anew_without_a_push(
    line, targets, damage
):
    line.commit(
        {"envs/prod/web.yaml": content("one"), "envs/prod/workflow.yaml": PLAIN}
    )
    line.poll()
    damage(line)
    for _ in range(3):
        line.work_off()
        line.poll()
        line.wait(timedelta(minutes=1))

    assert line.phases("prod") == ["Succeeded"]


@pytest.mark.parametrize("damage", [lose_clone, truncate_packs, break_refs])
def test_a_daemon_that_begins_with_a_lost_clone_goes_on(line, targets, damage):
    push(line, "one", PLAIN)
    damage(line)
    line.restart()
    line.commit({"envs/prod/web.yaml": content("two")})

    for _ in range(3):
        line.settle()

    assert line.phases("prod") == ["Succeeded", "Succeeded"]
    assert targets.value("eu") == "two"
