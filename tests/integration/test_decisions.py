"""What decisions in commits come to: each on real Git, the real store and services."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Policy, PolicyRule, Rulebook
from tests.gitworktree import ANN, BOB
from tests.releases import APPROVAL_WORKFLOW, ReleaseLine, approval

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
FIRST = "  - {name: first, type: deploy2env, properties: {target: cluster}}\n"
CHECKED = (
    HEAD + FIRST + "  - {name: checked, type: run-job, properties: {target: cluster}}\n"
)
TWO_SUSPENDS = HEAD + (
    "  - {name: one, type: suspend}\n  - {name: two, type: suspend}\n" + FIRST
)
SHORT_WAIT = HEAD + "  - {name: go-live, type: suspend, timeout: 1h}\n" + FIRST
ENVIRONMENT = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
CAROL = "Carol <carol@example.com>"
BOT = "renovate[bot] <renovate[bot]@users.noreply.example>"


@pytest.fixture
def make_line(tmp_path):
    made = []

    def make(**policy) -> ReleaseLine:
        rule = PolicyRule(environments=("*",), policy=Policy(**policy))
        line = ReleaseLine(tmp_path, rulebook=Rulebook(rules=(rule,)))
        made.append(line)
        return line

    yield make
    for line in made:
        line.close()


def push(line, workflow=APPROVAL_WORKFLOW, value="1", **more):
    sha = line.commit(
        {
            "envs/prod/workflow.yaml": workflow,
            "envs/prod/cm.yaml": f"a: {value}\n",
            **more.pop("files", {}),
        },
        **more,
    )
    line.settle()
    return sha


def decide(line, sha, decision="approve", step="", *, by=ANN, name=None, **more):
    """One decision in a file of its own."""
    name = name or f"{decision}-{len(line.decisions('prod'))}"
    # YAML would take the brackets of a bot's address for a list.
    written = None if "[" in by else by
    text = approval(sha, step, by=written, decision=decision, **more)
    line.commit({f"envs/prod/approvals/{name}.yaml": text}, author=by)
    line.settle()


def entry(line, text, author=ANN):
    """An approvals file written by hand."""
    line.commit(
        {"envs/prod/approvals.yaml": f"approvals:\n  - {text}\n"}, author=author
    )
    line.settle()


def last(line):
    decision = line.decisions("prod")[-1]
    return decision.effect.value, decision.reason


# --- what each does ---


def test_a_reject_ends_the_run_and_says_by_whom_and_why(line):
    one = push(line)

    decide(line, one, "reject", by=BOB, comment="too early")

    (revision,) = line.revisions("prod")
    assert line.phases("prod") == ["Aborted/Rejected"]
    assert revision.message == "rejected by bob@example.com: too early"
    assert line.run("prod").step("live").phase == "Skipped"


def test_an_abort_ends_a_run_and_bars_nothing(line):
    one = push(line)
    decide(line, one, "abort")
    assert line.phases("prod") == ["Aborted/Aborted"]

    decide(line, one, "redeploy")

    assert line.phases("prod") == ["Suspended"]


def test_a_rejected_revision_is_not_run_again(line):
    one = push(line)
    decide(line, one, "reject")

    decide(line, one, "retry")
    assert last(line) == ("refused", "#1 was rejected and stays barred")
    decide(line, one, "redeploy")

    assert last(line) == ("refused", "#1 was rejected and stays barred")
    assert line.phases("prod") == ["Aborted/Rejected"]


def test_a_retry_is_a_run_of_its_own_that_keeps_what_succeeded(line):
    line.deploy.fail = {"checked"}
    one = push(line, CHECKED)
    assert line.phases("prod") == ["Failed/StepFailed"]
    line.deploy.fail = set()

    decide(line, one, "retry")

    run = line.run("prod")
    assert line.phases("prod") == ["Succeeded"]
    assert (run.ordinal, run.step("first").reason) == (2, "Kept")
    assert line.deploy.reached == [
        "first on cluster",
        "checked on cluster",
        "checked on cluster",
    ]


def test_a_redeploy_is_a_run_from_the_start(line):
    one = push(line, CHECKED)

    decide(line, one, "redeploy")

    assert line.phases("prod") == ["Succeeded"]
    assert line.run("prod").ordinal == 2
    assert line.deploy.reached == ["first on cluster", "checked on cluster"] * 2


def test_a_retry_that_was_taken_in_survives_a_restart(line):
    line.deploy.fail = {"checked"}
    one = push(line, CHECKED)
    line.deploy.fail = set()
    text = approval(one, "", by=ANN, decision="retry")
    line.commit({"envs/prod/approvals/again.yaml": text})
    line.poll()

    line.restart(rulebook=Rulebook())
    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    assert line.run("prod").ordinal == 2


def test_only_the_newest_revision_is_run_again(line):
    one = push(line, CHECKED)
    push(line, CHECKED, "2")

    decide(line, one, "redeploy")

    assert last(line) == (
        "refused",
        "#2 is newer: only the newest revision can be run again",
    )


def test_a_succeeded_revision_has_nothing_to_retry_and_a_waiting_one_has_not_ended(
    line,
):
    one = push(line)
    decide(line, one, "retry")
    assert last(line) == ("refused", "#1 has not ended yet")
    decide(line, one, step="go-live")

    decide(line, one, "retry", name="again", comment="2", by=BOB)

    assert last(line) == ("refused", "#1 succeeded: there is nothing to retry")


# --- when it is too late, or too early ---


def test_an_expired_entry_is_refused_and_says_since_when(line):
    one = push(line)

    entry(
        line,
        f"{{revision: '{one}', decision: approve, step: go-live,"
        " expires: 2025-12-31T00:00:00Z}",
    )

    assert last(line) == ("refused", "it expired at 2025-12-31T00:00:00+00:00")
    assert line.phases("prod") == ["Suspended"]


def test_an_approval_after_the_timeout_is_refused(line):
    one = push(line, SHORT_WAIT)
    line.wait(timedelta(hours=2))
    assert line.phases("prod") == ["Failed/Timeout"]

    decide(line, one, step="go-live")

    assert last(line) == ("refused", "#1 has ended: Failed/Timeout")
    assert line.phases("prod") == ["Failed/Timeout"]


def test_an_approval_that_meets_the_timeout_unseen_so_far_comes_too_late(line):
    one = push(line, SHORT_WAIT)
    line.clock.pass_time(timedelta(hours=2))

    decide(line, one, step="go-live")

    assert last(line) == ("refused", "#1 has ended: Failed/Timeout")


def test_an_approval_of_a_step_that_was_passed_is_refused(line):
    one = push(line, TWO_SUSPENDS)
    decide(line, one, step="one")

    decide(line, one, step="one", by=BOB)

    assert last(line) == ("refused", "step one has ended already")


# --- what is meant ---


def test_a_step_may_be_left_out_when_only_one_can_be_meant(line):
    one = push(line, TWO_SUSPENDS)
    decide(line, one)
    assert last(line) == ("refused", "step is missing, and could be one or two")
    decide(line, one, step="one")

    decide(line, one, by=BOB)

    assert line.phases("prod") == ["Succeeded"]
    assert line.decisions("prod")[-1].step == "two"


def test_an_unknown_step_is_refused_with_those_that_can_be_meant(line):
    one = push(line)

    decide(line, one, step="staging")

    assert last(line) == (
        "refused",
        "step staging does not wait for an approval; go-live can",
    )


def test_run_names_which_run_is_meant(line):
    one = push(line)
    decide(line, one, "abort")
    decide(line, one, "redeploy")
    decide(line, one, step="go-live", run=1)
    assert last(line) == ("refused", "run 1 is not the revision's newest run")

    decide(line, one, step="go-live", run=2)

    assert line.phases("prod") == ["Succeeded"]


def test_a_redeploy_asks_again_at_a_suspend_that_was_approved_before(line):
    one = push(line)
    decide(line, one, step="go-live")
    assert line.phases("prod") == ["Succeeded"]

    decide(line, one, "redeploy")
    assert line.phases("prod") == ["Suspended"]
    decide(line, one, step="go-live", run=2)

    assert line.phases("prod") == ["Succeeded"]


# --- who ---


def test_whoever_is_not_listed_is_refused_and_told(make_line):
    line = make_line(approvers=("ann@example.com",))
    one = push(line)

    decide(line, one, step="go-live", by=BOB)
    decide(line, one, "reject", by=BOB)

    assert {d.effect.value for d in line.decisions("prod")} == {"refused"}
    assert last(line)[1] == "bob@example.com is not among the approvers"
    assert line.phases("prod") == ["Suspended"]
    told = [e for e in line.events() if e.kind == "decisionRefused"]
    assert len(told) == 2
    assert "bob@example.com is not among the approvers" in told[0].message


def test_by_must_be_who_wrote_the_commit(line):
    one = push(line)
    text = approval(one, "go-live", by=ANN)

    line.commit({"envs/prod/approvals.yaml": text}, author=BOB)
    line.settle()

    assert last(line) == (
        "refused",
        (
            "it says by ann@example.com, but bob@example.com wrote the commit that"
            " introduced it"
        ),
    )


def test_a_quorum_of_two_takes_two_people(two_needed):
    line = two_needed
    one = push(line)

    decide(line, one, step="go-live")
    assert line.phases("prod") == ["Suspended"]
    decide(line, one, step="go-live", by=BOB)

    assert line.phases("prod") == ["Succeeded"]
    assert line.run("prod").step("go-live").released == (
        "ann@example.com",
        "bob@example.com",
    )


def test_decisions_in_the_folder_and_in_the_file_count_together(two_needed):
    line = two_needed
    one = push(line)

    entry(line, f"{{revision: '{one}', decision: approve, step: go-live}}")
    decide(line, one, step="go-live", by=BOB)

    assert line.phases("prod") == ["Succeeded"]


def test_who_wrote_a_part_since_the_last_release_may_not_approve(make_line):
    line = make_line(allow_author=False)
    one = push(line, author=CAROL)
    decide(line, one, step="go-live")
    assert line.phases("prod") == ["Succeeded"]
    push(
        line,
        value="2",
        author=BOB,
        committer="Dan <dan@example.com>",
        message="Change\n\nCo-authored-by: Eve <eve@example.com>",
    )
    three = push(line, value="3", author=BOB)

    for who in (BOB, "Dan <dan@example.com>", "Eve <eve@example.com>"):
        decide(line, three, step="go-live", by=who)
        assert last(line)[0] == "refused"
        assert last(line)[1].endswith(
            "wrote a part of this revision, and the policy bars authors"
        )
    assert line.phases("prod")[-1] == "Suspended"
    decide(line, three, step="go-live", by=CAROL)  # wrote what was released before

    assert line.phases("prod")[-1] == "Succeeded"


def test_a_commit_that_only_approves_makes_nobody_an_author(make_line):
    line = make_line(allow_author=False, min_approvals=2)
    one = push(line, author=CAROL)
    decide(line, one, step="go-live")
    two = push(line, value="2", author=CAROL)

    decide(line, two, step="go-live")
    decide(line, two, step="go-live", by=BOB)

    assert line.phases("prod") == ["Aborted/Superseded", "Succeeded"]


def test_who_changed_only_a_watched_path_wrote_a_part_too(make_line):
    line = make_line(allow_author=False)
    one = push(
        line,
        author=CAROL,
        files={
            "envs/prod/environment.yaml": ENVIRONMENT + "watch: [../../base]\n",
            "base/web.yaml": "a: 1\n",
        },
    )
    decide(line, one, step="go-live", by=BOB)
    assert line.phases("prod") == ["Succeeded"]

    two = line.commit({"base/web.yaml": "a: 2\n"}, author=ANN)
    line.settle()
    decide(line, two, step="go-live", by=ANN)

    assert last(line)[0] == "refused"
    assert line.phases("prod")[-1] == "Suspended"


def test_who_wrote_a_part_before_the_folder_moved_wrote_it_still(make_line):
    line = make_line(allow_author=False)
    definition = {"envs/prod/environment.yaml": ENVIRONMENT + "name: prod\n"}
    one = push(line, author=CAROL, files=definition)
    decide(line, one, step="go-live", by=BOB)
    push(line, value="2", author=ANN)

    line.work.git("mv", "envs/prod", "envs/live")
    three = line.commit({"envs/live/more.yaml": "b: 1\n"}, author=BOB)
    line.settle()
    text = approval(three, "go-live", by=ANN)
    line.commit({"envs/live/approvals/mine.yaml": text}, author=ANN)
    line.settle()

    assert last(line)[0] == "refused"
    assert line.phases("prod")[-1] == "Suspended"


def test_an_environment_in_the_root_folder_is_approved_as_any_other(tmp_path):
    line = ReleaseLine(tmp_path, environments=("**",))
    one = line.commit(
        {
            "environment.yaml": ENVIRONMENT + "name: root\n",
            "workflow.yaml": APPROVAL_WORKFLOW,
        }
    )
    line.settle()

    line.commit({"approvals.yaml": approval(one, "go-live", by=ANN)}, author=ANN)
    line.settle()

    assert line.phases("root") == ["Succeeded"]
    line.close()


def test_who_writes_an_entry_in_anothers_name_does_not_keep_them_from_theirs(line):
    one = push(line)
    text = (
        f"{{revision: '{one}', decision: approve, step: go-live, by: ann@example.com}}"
    )
    entry(line, text, author=BOB)
    assert last(line)[0] == "refused"
    line.commit({"envs/prod/approvals.yaml": None}, author=BOB)

    entry(line, text, author=ANN)

    assert last(line) == ("accepted", "")
    assert line.phases("prod") == ["Succeeded"]


def test_a_bot_counts_only_when_it_is_listed(make_line):
    line = make_line(bots=("release[bot]@users.noreply.example",))
    one = push(line)

    decide(line, one, step="go-live", by=BOT)
    assert last(line)[1].endswith("is a bot that the policy does not list")
    decide(
        line,
        one[:20],
        step="go-live",
        by="release[bot] <release[bot]@users.noreply.example>",
    )

    assert line.phases("prod") == ["Succeeded"]


def test_a_refused_decision_may_be_written_again_by_its_author(line):
    one = push(line)
    entry(
        line,
        f"{{revision: '{one}', decision: approve, step: go-live,"
        " expires: 2025-12-31T00:00:00Z}",
    )
    line.commit({"envs/prod/approvals.yaml": None})
    line.settle()

    entry(line, f"{{revision: '{one}', decision: approve, step: go-live}}")

    assert line.phases("prod") == ["Succeeded"]


# --- environments that are gone ---


def test_entries_of_a_removed_environment_are_refused_and_start_nothing(line):
    one = push(line)
    push(line, files={"envs/staging/workflow.yaml": CHECKED})
    line.commit({"envs/prod": None})
    line.settle()

    decide(line, one, step="go-live")
    decide(line, one, "redeploy")

    assert [d.effect.value for d in line.decisions("prod")] == ["refused"] * 2
    assert last(line)[1] == "the environment was removed: nothing of it runs again"
    assert line.phases("prod") == ["Aborted/Removed"]
    assert line.phases("staging") == ["Succeeded"]


# --- how a commit is written ---


def commit_like(line, wanted):
    """A commit of `prod` whose id begins like this: its message is counted up."""
    files = {
        "envs/prod/workflow.yaml": APPROVAL_WORKFLOW,
        "envs/prod/cm.yaml": "a: 1\n",
    }
    line.work.commit(files, "0")
    raw = line.work.git("cat-file", "commit", "HEAD").encode()
    head = raw[: raw.index(b"\n\n") + 2]
    for number in range(10**7):
        body = head + b"%d\n" % number
        data = b"commit %d\0" % len(body) + body
        sha = hashlib.sha1(data).hexdigest()
        if wanted(sha):
            break
    made = line.work.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=body)
    assert made == sha
    line.work.git("reset", "-q", "--hard", sha)
    line.work.push()
    line.settle()
    assert line.phases("prod") == ["Suspended"]
    return sha


@pytest.mark.parametrize(
    ("wanted", "length"),
    [
        (lambda sha: sha[:7].isdigit() and sha[0] not in "08", 7),
        (lambda sha: sha[0] == "0" and set(sha[:7]) <= set("01234567"), 7),
        (lambda sha: sha[:3].isdigit() and sha[3] == "e" and sha[4:7].isdigit(), 7),
    ],
    ids=["digits", "octal", "exponent"],
)
def test_an_abbreviation_that_yaml_takes_for_a_number_is_read_as_it_is_written(
    line, wanted, length
):
    one = commit_like(line, wanted)

    entry(line, f"{{revision: {one[:length]}, decision: approve, step: go-live}}")

    assert line.conditions("prod") == {}
    assert line.phases("prod") == ["Succeeded"]


def test_an_abbreviation_in_capitals_is_the_same_commit(line):
    one = push(line)

    entry(line, f"{{revision: '{one[:12].upper()}', decision: approve, step: go-live}}")

    assert line.phases("prod") == ["Succeeded"]


def test_six_digits_are_no_commit_and_the_file_says_what_to_write(line):
    one = push(line)

    entry(line, f"{{revision: '{one[:6]}', decision: approve, step: go-live}}")

    problem = line.conditions("prod")["ApprovalsUnreadable"]
    assert problem.startswith("envs/prod/approvals.yaml:2: ")
    assert "write 7 to 40 hex digits" in problem
    assert line.phases("prod") == ["Suspended"]


def test_an_abbreviation_of_two_revisions_is_refused_with_both(line):
    one = push(line)
    # Nobody can wait for two real commits that are alike.
    two = one[:7] + "f" * 33
    (revision,) = line.revisions("prod")
    with line.store.transaction() as transaction:
        other = replace(revision, number=2, commit=two, phase=Phase.FAILED)
        transaction.save_revision(other)

    entry(line, f"{{revision: '{one[:7]}', decision: approve, step: go-live}}")

    effect, reason = last(line)
    assert effect == "refused"
    assert reason.startswith(f"{one[:7]} is ambiguous")
    assert one[:12] in reason
    assert two[:12] in reason
    assert line.phases("prod")[0] == "Suspended"
