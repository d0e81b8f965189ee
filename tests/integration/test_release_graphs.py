"""What graphs of commits come to: each on real Git, the real store and services."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.gitworktree import ANN, BOB, GitWorkTree
from tests.releases import APPROVAL_WORKFLOW, approval

CHAIN = APPROVAL_WORKFLOW
PLAIN = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps: [{name: deploy, type: deploy2env}]
"""


ENVIRONMENT = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
NAMED = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Environment
name: live
"""


def start(line, files=None):
    """A first revision of `prod` that succeeded at once."""
    own = {"envs/prod/workflow.yaml": PLAIN, "envs/prod/cm.yaml": "a: 1\n"}
    sha = line.commit({**own, **(files or {})})
    line.settle()
    assert line.phases("prod") == ["Succeeded"]
    return sha


def start_suspended(line):
    """A first revision of `prod` that waits at `go-live`."""
    sha = line.commit({"envs/prod/workflow.yaml": CHAIN, "envs/prod/cm.yaml": "a: 1\n"})
    line.settle()
    assert line.phases("prod") == ["Suspended"]
    return sha


def approve(line, sha, *, author=ANN, path="envs/prod/approvals.yaml", **more):
    text = approval(sha, "go-live", by=author, **more)
    commit = line.commit({path: text}, "Approve", author=author)
    line.settle()
    return commit


# --- merges ---


def test_a_pull_and_merge_never_runs_a_commit_that_lacks_what_is_deployed(line):
    start(line)
    mine = GitWorkTree.clone(
        str(line.remote), line.work.path.parent / "bob", author=BOB
    )
    mine.commit({"envs/prod/bob.yaml": "b: 1\n"}, "Bob's part")
    line.commit({"envs/prod/ann.yaml": "a: 1\n"}, "Ann's part")
    line.settle()
    mine.pull()
    mine.push()

    line.settle()

    assert line.phases("prod") == ["Succeeded"] * 3
    merged = line.git.tree(line.revisions("prod")[-1].commit, "envs/prod")
    assert {"ann.yaml", "bob.yaml"} <= {entry.path for entry in merged.entries}
    seen = [line.git.tree(sha, "envs/prod") for _, _, sha in line.deploy.done[1:]]
    assert all("ann.yaml" in {e.path for e in tree.entries} for tree in seen)


def branch_with_two_commits(line):
    line.work.branch("feature")
    line.work.commit({"envs/prod/cm.yaml": "a: 2\n"}, "First half")
    line.work.commit({"envs/prod/cm.yaml": "a: 3\n"}, "Second half")
    line.work.checkout("main")


def test_a_merge_commit_makes_one_revision_of_the_branch(line):
    start(line)
    branch_with_two_commits(line)
    merge = line.work.merge("feature")
    line.work.push()

    line.settle()

    assert [r.commit for r in line.revisions("prod")][1:] == [merge]


def test_a_squash_makes_one_revision_of_the_branch(line):
    start(line)
    branch_with_two_commits(line)
    line.work.git("merge", "--squash", "feature")
    squash = line.work.commit(None, "Both halves")
    line.work.push()

    line.settle()

    assert [r.commit for r in line.revisions("prod")][1:] == [squash]


def test_a_rebase_merge_makes_a_revision_of_each_commit(line):
    start(line)
    branch_with_two_commits(line)
    line.work.git("merge", "--ff-only", "feature")
    line.work.push()

    line.settle()

    assert line.phases("prod") == ["Succeeded"] * 3


def test_a_merge_queue_bot_as_committer_leaves_the_author_who_decided(line):
    one = start_suspended(line)

    line.work.commit(
        {"envs/prod/approvals.yaml": approval(one, "go-live", by=BOB)},
        "Approve",
        author=BOB,
        committer="merge-queue[bot] <merge-queue[bot]@users.noreply.example>",
    )
    line.work.push()
    line.settle()

    assert [d.person for d in line.decisions("prod")] == ["bob@example.com"]
    assert line.phases("prod") == ["Succeeded"]


# --- reverts ---


def test_reverting_one_commit_rolls_back(line):
    start(line)
    two = line.commit({"envs/prod/cm.yaml": "a: 2\n"})
    line.settle()

    line.work.revert(two)
    line.work.push()
    line.settle()

    back = line.revisions("prod")[-1]
    assert (back.number, back.rollback_of, back.reverts) == (3, 1, (two,))
    assert back.phase == "Succeeded"
    assert [r.released for r in line.revisions("prod")] == [False, False, True]


def test_reverting_several_commits_rolls_back_at_the_last(line):
    start(line)
    two = line.commit({"envs/prod/cm.yaml": "a: 2\n"})
    three = line.commit({"envs/prod/cm.yaml": "a: 3\n"})
    line.settle()

    line.work.revert(three)
    line.work.revert(two)
    line.work.push()
    line.settle()

    assert [r.rollback_of for r in line.revisions("prod")] == [None, None, None, 2, 1]


def test_reverting_a_merge_rolls_back(line):
    start(line)
    branch_with_two_commits(line)
    merge = line.work.merge("feature")
    line.work.push()
    line.settle()

    line.work.revert(merge, mainline=1)
    line.work.push()
    line.settle()

    assert line.revisions("prod")[-1].rollback_of == 1


def test_reverting_a_revert_goes_forward_to_what_succeeded_before(line):
    start(line)
    two = line.commit({"envs/prod/cm.yaml": "a: 2\n"})
    line.settle()
    back = line.work.revert(two)
    line.work.push()
    line.settle()

    line.work.revert(back)
    line.work.push()
    line.settle()

    assert [r.rollback_of for r in line.revisions("prod")] == [None, None, 1, 2]


def test_reverting_an_approval_afterwards_undoes_nothing_and_is_shown(line):
    one = start_suspended(line)
    commit = approve(line, one)

    line.work.revert(commit)
    line.work.push()
    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    (decision,) = line.decisions("prod")
    assert decision.effect == "accepted"
    assert "nothing is undone" in decision.reason


def test_restoring_an_old_tree_by_checkout_rolls_back(line):
    one = start(line)
    line.commit({"envs/prod/cm.yaml": "a: 2\n"})
    line.commit({"envs/prod/more.yaml": "b: 1\n"})
    line.settle()

    line.work.restore(one, "envs/prod")
    line.work.push()
    line.settle()

    assert line.revisions("prod")[-1].rollback_of == 1


def test_a_message_that_only_claims_to_revert_is_no_rollback(line):
    one = start(line)

    line.commit(
        {"envs/prod/cm.yaml": "a: 9\n"}, f'Revert "x"\n\nThis reverts commit {one}.'
    )
    line.settle()

    claimed = line.revisions("prod")[-1]
    assert (claimed.rollback_of, claimed.reverts) == (None, (one,))


def test_a_failed_revision_is_never_rolled_back_to(line):
    start(line)
    line.commit({"envs/prod/outcome": "fail"})
    three = line.commit({"envs/prod/outcome": "ok", "envs/prod/cm.yaml": "a: 3\n"})
    line.settle()
    line.work.revert(three)
    line.work.push()
    line.settle()

    assert line.phases("prod") == [
        "Succeeded",
        "Failed/StepFailed",
        "Succeeded",
        "Failed/StepFailed",
    ]
    assert line.revisions("prod")[-1].rollback_of is None


def test_a_rejected_revision_stays_barred_when_its_revert_is_reverted(line):
    start_suspended_ok = start_suspended(line)
    approve(line, start_suspended_ok)
    two = line.commit({"envs/prod/cm.yaml": "a: 2\n"})
    line.settle()
    approve(line, two, path="envs/prod/approvals/two.yaml")
    assert line.phases("prod") == ["Succeeded", "Succeeded"]
    three = line.commit({"envs/prod/cm.yaml": "a: 3\n"})
    line.settle()
    line.commit(
        {"envs/prod/approvals/no.yaml": approval(three, "", by=ANN, decision="reject")}
    )
    line.settle()
    assert line.phases("prod")[-1] == "Aborted/Rejected"
    back = line.work.revert(three)
    line.work.push()
    line.settle()
    line.work.revert(back)
    line.work.push()
    line.settle()

    again = line.revisions("prod")[-1]
    assert again.inputs == line.revisions("prod")[2].inputs
    assert again.rollback_of is None


# --- decisions ---


def test_an_approval_and_a_change_in_one_commit_do_both_in_that_order(line):
    one = start_suspended(line)

    line.commit(
        {
            "envs/prod/approvals.yaml": approval(one, "go-live", by=ANN),
            "envs/prod/cm.yaml": "a: 2\n",
        }
    )
    line.settle()

    assert line.phases("prod") == ["Succeeded", "Suspended"]


def test_two_peoples_identical_approvals_merged_into_one_count_for_both(two_needed):
    line = two_needed
    one = start_suspended(line)
    same = approval(one, "go-live", by=None)
    for name, author in (("a", ANN), ("b", BOB)):
        line.work.checkout("main")
        line.work.branch(name)
        line.work.commit({"envs/prod/approvals.yaml": same}, "Approve", author=author)
    line.work.checkout("main")
    line.work.merge("a")
    line.work.push()
    line.settle()
    assert line.phases("prod") == ["Suspended"]
    line.work.merge("b")
    line.work.push()

    line.settle()

    assert sorted(d.person for d in line.decisions("prod")) == [
        "ann@example.com",
        "bob@example.com",
    ]
    assert line.phases("prod") == ["Succeeded"]


def test_one_person_approving_twice_is_one_approval(two_needed):
    line = two_needed
    one = start_suspended(line)

    approve(line, one, path="envs/prod/approvals/one.yaml")
    approve(line, one, path="envs/prod/approvals/two.yaml", comment="again")

    assert line.phases("prod") == ["Suspended"]


def test_editing_a_comment_or_the_layout_of_an_entry_never_acts(two_needed):
    line = two_needed
    one = start_suspended(line)
    line.commit({"envs/prod/approvals.yaml": approval(one, "go-live", by=None)})
    line.settle()

    line.commit(
        {"envs/prod/approvals.yaml": approval(one, "go-live", by=None, comment="ok")},
        author=BOB,
    )
    line.settle()

    assert [d.person for d in line.decisions("prod")] == ["ann@example.com"]
    assert line.phases("prod") == ["Suspended"]


def test_moving_an_entry_to_another_file_never_acts(two_needed):
    line = two_needed
    one = start_suspended(line)
    entry = approval(one, "go-live", by=None)
    line.commit({"envs/prod/approvals.yaml": entry})
    line.settle()

    line.commit(
        {"envs/prod/approvals.yaml": None, "envs/prod/approvals/ann.yaml": entry},
        author=BOB,
    )
    line.settle()

    assert [d.person for d in line.decisions("prod")] == ["ann@example.com"]
    assert line.phases("prod") == ["Suspended"]


def test_an_entry_removed_and_restored_by_another_never_acts(two_needed):
    line = two_needed
    one = start_suspended(line)
    entry = approval(one, "go-live", by=None)
    line.commit({"envs/prod/approvals.yaml": entry})
    removed = line.commit({"envs/prod/approvals.yaml": None})
    line.settle()

    line.work.revert(removed, author=BOB)
    line.work.push()
    line.settle()

    assert [(d.person, d.effect) for d in line.decisions("prod")] == [
        ("ann@example.com", "withdrawn")
    ]
    assert line.phases("prod") == ["Suspended"]


def test_removing_an_approval_before_its_step_is_released_withdraws_it(two_needed):
    line = two_needed
    one = start_suspended(line)
    approve(line, one)
    line.commit({"envs/prod/approvals.yaml": None})
    line.settle()

    approve(line, one, author=BOB)

    assert line.phases("prod") == ["Suspended"]


def test_mending_an_unreadable_file_acts_for_nobody_else(line):
    one = start_suspended(line)
    entry = approval(one, "go-live", by=ANN)
    line.commit({"envs/prod/approvals.yaml": entry + "  - {broken\n"})
    line.settle()
    assert "approvals.yaml" in line.conditions("prod")["ApprovalsUnreadable"]
    assert line.phases("prod") == ["Suspended"]

    line.commit({"envs/prod/approvals.yaml": entry}, "Mend", author=BOB)
    line.settle()

    assert "ApprovalsUnreadable" not in line.conditions("prod")
    (decision,) = line.decisions("prod")
    assert (decision.person, decision.effect) == ("bob@example.com", "refused")
    assert line.phases("prod") == ["Suspended"]


def test_earlier_decisions_stand_while_the_file_is_unreadable(two_needed):
    line = two_needed
    one = start_suspended(line)
    approve(line, one)
    good = approval(one, "go-live", by=ANN)
    line.commit({"envs/prod/approvals.yaml": good + "  - {broken\n"}, author=BOB)
    line.settle()

    line.commit({"envs/prod/approvals.yaml": good}, "Mend", author=BOB)
    approve(line, one, author=BOB, path="envs/prod/approvals/bob.yaml")

    assert line.phases("prod") == ["Succeeded"]


def test_an_approval_of_a_superseded_revision_is_refused_with_its_reason(line):
    one = start_suspended(line)
    line.commit({"envs/prod/cm.yaml": "a: 2\n"})
    line.settle()

    approve(line, one)

    (decision,) = line.decisions("prod")
    assert decision.effect == "refused"
    assert "#1 has ended: Aborted/Superseded" in decision.reason


def test_an_approval_that_arrives_before_its_step_is_reached_counts_there(line):
    one = line.commit(
        {
            "envs/prod/workflow.yaml": CHAIN,
            "envs/prod/cm.yaml": "a: 1\n",
        }
    )
    line.poll()
    line.commit({"envs/prod/approvals.yaml": approval(one, "go-live", by=ANN)})
    line.poll()

    line.work_off()

    assert line.phases("prod") == ["Succeeded"]


def test_a_side_commit_s_id_gets_an_error_that_names_the_revision_meant(line):
    start(line)
    line.work.branch("feature")
    side = line.work.commit({"envs/prod/workflow.yaml": CHAIN}, "Ask first")
    line.work.checkout("main")
    merge = line.work.merge("feature")
    line.work.push()
    line.settle()

    approve(line, side)

    (decision,) = line.decisions("prod")
    assert decision.effect == "refused"
    assert merge in decision.reason


# --- rollbacks in the middle ---


def test_a_rollback_goes_before_a_run_that_is_suspended(line):
    one = start_suspended(line)
    approve(line, one)
    two = line.commit({"envs/prod/cm.yaml": "a: 2\n"})
    line.settle()

    line.work.revert(two)
    line.work.push()
    line.settle()

    assert line.phases("prod")[1] == "Aborted/Superseded"
    assert line.revisions("prod")[2].rollback_of == 1


def test_a_rollback_goes_before_a_run_that_waits_for_health(line):
    start(line)
    two = line.commit({"envs/prod/outcome": "hold"})
    line.settle()
    assert line.phases("prod") == ["Succeeded", "Running"]

    line.work.revert(two)
    line.work.push()
    line.settle()

    assert line.phases("prod") == ["Succeeded", "Aborted/Superseded", "Succeeded"]


# --- folders ---


def test_an_environment_that_is_added_runs(line):
    start(line)

    line.commit({"envs/staging/workflow.yaml": PLAIN})
    line.settle()

    assert line.phases("staging") == ["Succeeded"]
    assert line.phases("prod") == ["Succeeded"]


def test_a_renamed_folder_with_its_name_is_the_same_environment(line):
    line.commit(
        {
            "envs/prod/environment.yaml": NAMED,
            "envs/prod/workflow.yaml": PLAIN,
            "envs/prod/cm.yaml": "a: 1\n",
        }
    )
    line.settle()

    line.work.git("mv", "envs/prod", "envs/production")
    line.work.commit(None, "Rename")
    line.work.push()
    line.settle()
    line.commit({"envs/production/cm.yaml": "a: 2\n"})
    line.settle()

    assert line.phases("live") == ["Succeeded", "Succeeded"]
    assert line.phases("production") == []


def test_a_renamed_folder_without_a_name_is_another_environment(line):
    start(line)

    line.work.git("mv", "envs/prod", "envs/production")
    line.work.commit(None, "Rename")
    line.work.push()
    line.settle()

    assert line.phases("production") == ["Succeeded"]
    assert line.phases("prod") == ["Succeeded"]
    assert line.record("prod").is_removed


def test_a_removed_folder_ends_its_run_and_is_told(line):
    start_suspended(line)

    line.commit({"envs/prod": None})
    line.settle()

    assert line.phases("prod") == ["Aborted/Removed"]
    assert line.record("prod").is_removed
    assert any(e.kind == "removed" and "stay" in e.message for e in line.events())


def test_a_folder_that_comes_back_as_it_was_runs_again(line):
    start(line)
    removed = line.commit({"envs/prod": None})
    line.settle()

    line.work.revert(removed)
    line.work.push()
    line.settle()

    assert line.phases("prod") == ["Succeeded", "Succeeded"]
    assert not line.record("prod").is_removed


# --- history ---


@pytest.mark.parametrize(
    "files",
    [
        {"envs/prod/environment.yaml": ENVIRONMENT + "watch: [../..]\n"},
        {
            "envs/prod/kustomization.yaml": "resources: [../..]\n",
            "kustomization.yaml": "resources: [web.yaml]\n",
        },
    ],
    ids=["watched", "base"],
)
def test_a_change_in_the_root_folder_counts_where_it_is_an_input(line, files):
    start(line, {**files, "web.yaml": "a: 1\n"})

    line.commit({"web.yaml": "a: 2\n"})
    line.settle()

    assert line.phases("prod") == ["Succeeded", "Succeeded"]


def test_decisions_below_a_watched_path_are_no_new_content(line):
    one = line.commit(
        {
            "envs/prod/workflow.yaml": CHAIN,
            "envs/prod/environment.yaml": ENVIRONMENT + "watch: [..]\n",
            "envs/test/workflow.yaml": CHAIN,
        }
    )
    line.settle()

    approve(line, one, path="envs/test/approvals.yaml")
    approve(line, one, path="envs/prod/approvals/mine.yaml")

    assert line.phases("test") == ["Succeeded"]
    assert line.phases("prod") == ["Succeeded"]


def watch_only(line, *globs):
    """Begin anew with a daemon config that has other patterns."""
    config = replace(line.watched.config, environments=globs)
    line.watched = replace(line.watched, config=config)
    line.restart()


def test_an_environment_that_the_config_no_longer_names_is_told_and_not_delivered(
    line,
):
    start(line)
    watch_only(line, "envs/*", "!envs/prod")
    line.commit({"envs/prod/cm.yaml": "a: 2\n"})

    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    assert line.record("prod").is_removed
    assert (
        "prod: no pattern of the daemon config is for the folder envs/prod any more;"
        " its objects stay on their targets"
    ) in [event.message for event in line.events()]
    assert len(line.deploy.done) == 1


def test_a_run_of_what_the_config_no_longer_names_ends(line):
    start_suspended(line)
    watch_only(line, "other/*")

    line.settle()

    assert line.phases("prod") == ["Aborted/Removed"]


def test_an_environment_that_the_config_names_again_runs_again(line):
    start(line)
    watch_only(line, "other/*")
    line.settle()
    watch_only(line, "envs/*")

    line.settle()

    assert line.phases("prod") == ["Succeeded", "Succeeded"]


def test_a_folder_that_moves_to_where_the_config_looks_now_is_the_same_environment(
    line,
):
    line.commit(
        {
            "envs/prod/workflow.yaml": PLAIN,
            "envs/prod/environment.yaml": NAMED,
            "envs/prod/cm.yaml": "a: 1\n",
        }
    )
    line.settle()
    watch_only(line, "live/*")
    (line.work.path / "live").mkdir()
    line.work.git("mv", "envs/prod", "live/prod")
    line.commit({})

    line.settle()

    assert line.phases("live") == ["Succeeded"]
    assert line.record("live").folder == "live/prod"


def test_a_thousand_commits_behind_make_a_revision_each(line):
    start(line)
    line.work.import_commits(
        [("envs/prod/cm.yaml", f"a: {n + 2}\n") for n in range(1000)]
    )
    line.work.push()

    line.settle()

    phases = line.phases("prod")
    assert len(phases) == 1001
    assert phases[-1] == "Succeeded"
    assert set(phases[1:-1]) <= {"Aborted/Superseded", "Succeeded"}
    assert [r.number for r in line.revisions("prod")] == list(range(1, 1002))


def test_a_force_push_gives_each_environment_at_most_one_revision_at_the_new_head(line):
    start(line)
    line.commit({"envs/staging/workflow.yaml": PLAIN})
    line.settle()
    two = line.commit({"envs/prod/outcome": "hold"})
    line.settle()
    line.work.git("reset", "-q", "--hard", "HEAD~1")
    line.work.commit({"envs/prod/cm.yaml": "a: 7\n"}, "Another way")
    three = line.work.commit({"envs/prod/cm.yaml": "a: 8\n"}, "And on")
    line.work.push(force=True)

    line.settle()

    assert line.phases("prod") == [
        "Succeeded",
        "Aborted/HistoryRewritten",
        "Succeeded",
    ]
    assert [r.commit for r in line.revisions("prod")][1:] == [two, three]
    assert line.phases("staging") == ["Succeeded"]
    assert any(e.kind == "historyRewritten" for e in line.events())


def test_a_force_push_with_equal_inputs_lets_the_run_go_on_under_the_new_commit(line):
    start_suspended(line)
    line.work.git("commit", "-q", "--amend", "-m", "Better words")
    amended = line.work.head()
    line.work.push(force=True)
    line.settle()

    approve(line, amended)

    assert line.phases("prod") == ["Succeeded"]
    assert line.revisions("prod")[0].commit == amended


def test_an_approval_that_comes_with_rewritten_history_is_read(line):
    one = start_suspended(line)
    line.commit({"README.md": "words\n"}, "Words")
    line.settle()
    line.work.git("reset", "-q", "--hard", one)
    line.work.commit(
        {"envs/prod/approvals.yaml": approval(one, "go-live", by=ANN)}, "Approve"
    )
    line.work.push(force=True)

    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    assert [d.effect for d in line.decisions("prod")] == ["accepted"]


def test_a_deleted_branch_is_a_condition_and_goes_on_when_it_is_back(line):
    start(line)
    line.work.push(refspec=":refs/heads/main")
    line.settle()
    assert "the branch is gone" in line.repository().condition

    line.commit({"envs/prod/cm.yaml": "a: 2\n"})
    line.settle()

    assert line.repository().condition == ""
    assert line.phases("prod") == ["Succeeded", "Succeeded"]


def test_an_empty_repository_is_a_condition_until_its_first_commit(line):
    line.settle()
    assert "holds no commit yet" in line.repository().condition

    start(line)

    assert line.repository().condition == ""


def test_a_commit_that_changes_no_inputs_makes_no_revision(line):
    start(line)

    line.commit({"envs/prod/README.md": "words\n", "elsewhere.yaml": "a: 1\n"})
    line.settle()

    assert line.phases("prod") == ["Succeeded"]


def test_waiting_for_health_ends_at_the_step_s_timeout(line):
    start(line)
    line.commit({"envs/prod/outcome": "hold"})
    line.settle()

    line.wait(timedelta(minutes=11))

    assert line.phases("prod")[-1] == "Failed/Timeout"
