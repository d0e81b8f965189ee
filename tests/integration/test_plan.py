"""What a commit is planned to do, beside a release line that then does it.

No cluster here: which environments, which steps, whose approval, and what holds them.
What happens to objects is in tests/e2e/test_rehearsed_delivery.py and test_plan.py.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.adapters.git_cli import Preview
from gitops_wf.core.freeze import Window, WindowKind
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.policy import Freeze, Gate, Policy, PolicyRule, Rulebook
from gitops_wf.definitions.reader import DefinitionReader
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.plan import Plan, Wish
from gitops_wf.services.plan_run import PlanRun
from gitops_wf.services.recall import Recall
from gitops_wf.services.watched import Watched
from tests.gitworktree import ANN
from tests.releases import APPROVAL_WORKFLOW, ReleaseLine, approval

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
FLOW = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"


@pytest.fixture
def line(tmp_path):
    line = ReleaseLine(tmp_path)
    yield line
    line.close()


def envs(**files):
    """Files of environments: `prod="text"` is the environment.yaml of prod."""
    return {f"envs/{name}/environment.yaml": text for name, text in files.items()}


def plan_between(line, base, head, *, store=True, targets=(), now=None, **wish):
    with Preview(line.work.path, "main") as git:
        planner = Plan(
            watched=Watched(config=line.watched.config, git=git),
            definitions=DefinitionReader(line.catalogue, line.known),
            recall=Recall(clusters=line.clusters, instance="test"),
            runs=PlanRun(
                runners=line.runners,
                approvals=Approvals(rulebook=line.rulebook),
                targets=tuple(map(TargetName, targets)),
            ),
            store=line.store if store else None,
            now=now or line.clock.now(),
        )
        commit = git.merged(base, head)
        return planner.plan(Wish(base=base, commit=commit, source="", **wish))


def plan(line, files, **more):
    """Plan a commit of these files on a branch; the branch is left behind."""
    base = line.work.head()
    line.work.git("checkout", "-q", "--detach", "main")
    head = line.work.commit(files)
    line.work.git("checkout", "-q", "main")
    return plan_between(line, base, head, **more)


def plan_of_first(line, files, **more):
    """Plan environments on a branch that has none yet."""
    line.commit({"README.md": "a shop\n"})
    line.settle()
    return plan(line, files, **more)


def the_one(found):
    (environment,) = found.environments
    return environment


def step(environment, name):
    (found,) = [each for each in environment.steps if each.name == name]
    return found


def released(line, files):
    line.commit(files)
    line.settle()


def test_only_environments_whose_inputs_change_are_planned(line):
    released(line, envs(prod=HEAD, qa=HEAD))

    found = plan(line, {"envs/prod/web.yaml": "a: 1\n", "envs/qa/README.md": "hello\n"})

    assert [(each.name, each.what, each.number) for each in found.environments] == [
        ("prod", "changed", 2)
    ]
    assert found.unaffected == ("qa",)


def test_nothing_of_a_plan_is_stored(line):
    released(line, envs(prod=HEAD))
    before = line.events(), line.revisions("prod")

    plan(line, {"envs/prod/web.yaml": "a: 1\n"})

    assert (line.events(), line.revisions("prod")) == before


def test_new_moved_and_removed_environments_are_told(line):
    released(line, envs(old=HEAD, here=HEAD + "name: shop\n", stays=HEAD))

    found = plan(
        line,
        {
            "envs/old": None,
            "envs/here": None,
            **envs(fresh=HEAD, there=HEAD + "name: shop\ncommits: latest\n"),
        },
    )

    assert {each.name: (each.what, each.folder) for each in found.environments} == {
        "fresh": ("new", "envs/fresh"),
        "old": ("removed", "envs/old"),
        "shop": ("moved", "envs/there"),
    }
    old = next(each for each in found.environments if each.name == "old")
    assert old.notes == ("its objects stay on their targets",)
    assert old.number is None
    assert found.unaffected == ("stays",)


def test_two_environments_of_one_name_are_a_problem(line):
    released(line, envs(prod=HEAD))

    found = plan(line, envs(other=HEAD + "name: prod\n"))

    assert "an environment named prod stands in envs/prod already" in found.problems[0]
    assert found.is_wrong


def test_a_rollback_is_recognised_by_its_content(line):
    released(line, {**envs(prod=HEAD), "envs/prod/web.yaml": "a: 1\n"})
    released(line, {"envs/prod/web.yaml": "a: 2\n"})

    environment = the_one(plan(line, {"envs/prod/web.yaml": "a: 1\n"}))

    assert (environment.number, environment.rollback_of) == (3, 1)


def test_an_approval_that_a_step_waits_for_is_named(line):
    policy = Policy(approvers=("ann@example.com", "bob@example.com"), min_approvals=2)
    line.restart(
        rulebook=Rulebook(rules=(PolicyRule(environments=("prod",), policy=policy),))
    )

    environment = the_one(
        plan_of_first(
            line, {**envs(prod=HEAD), "envs/prod/workflow.yaml": APPROVAL_WORKFLOW}
        )
    )

    assert [each.name for each in environment.steps] == ["staging", "go-live", "live"]
    assert [each.policy for each in step(environment, "go-live").approvals] == [policy]
    assert not step(environment, "live").approvals


def test_a_gate_and_a_freeze_are_named_at_the_steps_that_they_hold(line):
    gated = Gate(
        target=TargetName("cluster"), policy=Policy(approvers=("ann@example.com",))
    )
    shut = Window(
        kind=WindowKind.DENY, schedule="0 9 * * *", duration=timedelta(hours=8)
    )
    rule = PolicyRule(environments=("*",), freeze=Freeze(name="prod", windows=(shut,)))
    line.restart(rulebook=Rulebook(rules=(rule,), gates={gated.target: gated}))
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)

    environment = the_one(plan_of_first(line, envs(prod=HEAD), now=noon))

    (only,) = environment.steps
    assert [(each.gate, each.policy) for each in only.approvals] == [
        ("cluster", gated.policy)
    ]
    assert only.frozen.text.startswith("frozen until 2026-01-05 17:00 UTC")


def test_conditions_are_decided_where_they_can_be(line):
    deploy = replace(line.catalogue.get("deploy2env"), output_roots=("changes",))
    line.catalogue._types["deploy2env"] = deploy
    flow = FLOW + (
        "  - {name: a, type: deploy2env, outputs: [{name: v, valueFrom: changes}]}\n"
        "  - {name: never, type: suspend, if: revision.rollback}\n"
        "  - {name: perhaps, type: suspend, if: \"outputs.v == '1'\"}\n"
        "  - {name: last, type: suspend, if: 'status.never.skipped'}\n"
    )

    environment = the_one(
        plan_of_first(line, {**envs(prod=HEAD), "envs/prod/workflow.yaml": flow})
    )

    phases = {each.name: each.phase.value for each in environment.steps}
    assert phases == {
        "a": "Succeeded",
        "never": "Skipped",
        "perhaps": "Succeeded",
        "last": "Succeeded",
    }
    assert step(environment, "never").message == "if: revision.rollback is false"
    assert step(environment, "perhaps").condition == "outputs.v == '1'"
    assert not step(environment, "never").approvals


def test_an_environment_waits_for_one_that_the_same_commit_changes(line):
    after = HEAD + "after: [{environment: staging, soak: 30m}]\n"
    released(line, envs(alpha=after, staging=HEAD))
    line.wait(timedelta(hours=1))
    assert line.phases("alpha") == ["Succeeded"]

    both = plan(line, {"envs/alpha/a.yaml": "a: 1\n", "envs/staging/a.yaml": "a: 1\n"})
    alone = the_one(plan(line, {"envs/alpha/a.yaml": "a: 1\n"}))

    assert [each.name for each in both.environments] == ["staging", "alpha"]
    assert both.environments[1].holds == ("waits until staging has succeeded, 30m ago",)
    assert alone.holds == ()


def test_a_run_that_waits_for_approval_is_said_to_be_superseded(line):
    released(line, {**envs(prod=HEAD), "envs/prod/workflow.yaml": APPROVAL_WORKFLOW})
    assert line.phases("prod") == ["Suspended"]

    environment = the_one(plan(line, {"envs/prod/web.yaml": "a: 1\n"}))

    assert environment.holds == ("#1, which waits for approval, ends Superseded",)
    released(line, {"envs/prod/web.yaml": "a: 1\n"})
    assert line.phases("prod") == ["Aborted/Superseded", "Suspended"]


def test_a_rejected_content_is_planned_as_no_rollback(line):
    released(line, {**envs(prod=HEAD), "envs/prod/web.yaml": "a: 1\n"})
    flow = {"envs/prod/workflow.yaml": APPROVAL_WORKFLOW}
    released(line, {**flow, "envs/prod/web.yaml": "a: 2\n"})
    sha = line.work.head()
    released(
        line,
        {
            "envs/prod/approvals.yaml": approval(
                sha, "go-live", by=ANN, decision="reject"
            )
        },
    )
    assert line.phases("prod")[-1] == "Aborted/Rejected"
    released(line, {"envs/prod/workflow.yaml": None, "envs/prod/web.yaml": "a: 3\n"})

    environment = the_one(plan(line, {**flow, "envs/prod/web.yaml": "a: 2\n"}))

    assert environment.rollback_of is None


def test_several_commits_are_said_to_make_several_revisions(line):
    released(line, envs(prod=HEAD))
    base = line.work.head()
    line.work.branch("topic")
    line.work.commit({"envs/prod/a.yaml": "a: 1\n"})
    head = line.work.commit({"envs/prod/a.yaml": "a: 2\n"})

    found = plan_between(line, base, head)

    assert "2 commits change it" in the_one(found).notes[0]


def test_environments_that_do_not_change_are_planned_where_that_is_asked(line):
    released(line, envs(prod=HEAD, qa=HEAD))

    found = plan(line, {"README.md": "new\n"}, all_=True, names=("qa",))

    assert [(each.name, each.what) for each in found.environments] == [
        ("qa", "unchanged")
    ]


def test_only_the_targets_that_are_asked_for_are_looked_at(line):
    line.restart(targets=("cluster", "other"))

    environment = the_one(plan_of_first(line, envs(prod=HEAD), targets=("other",)))

    assert [each.target for each in environment.steps] == ["other"]


def test_a_target_that_policy_keeps_from_an_environment_fails_the_plan(line):
    rule = PolicyRule(environments=("prod",), targets=("elsewhere",))
    line.restart(rulebook=Rulebook(rules=(rule,)))

    environment = the_one(plan_of_first(line, envs(prod=HEAD)))

    (only,) = environment.steps
    assert only.phase.value == "Failed"
    assert only.planned.reason == "TargetNotAllowed"
    assert environment.is_wrong


def test_what_follows_a_step_that_fails_is_skipped(line):
    rule = PolicyRule(environments=("prod",), targets=("other",))
    line.restart(rulebook=Rulebook(rules=(rule,)), targets=("cluster", "other"))
    flow = FLOW + (
        "  - {name: first, type: deploy2env, properties: {target: cluster}}\n"
        "  - {name: second, type: deploy2env, properties: {target: other}}\n"
        "  - {name: tell, type: suspend, if: always}\n"
    )

    environment = the_one(
        plan_of_first(line, {**envs(prod=HEAD), "envs/prod/workflow.yaml": flow})
    )

    assert [each.phase.value for each in environment.steps] == [
        "Failed", "Skipped", "Succeeded",
    ]  # fmt: skip


def test_a_step_type_that_says_nothing_beforehand_is_shown_as_such(line):
    flow = FLOW + (
        "  - {name: other, type: deploy2env}\n"
        "  - {name: ask, type: suspend, properties: {message: Ready?}}\n"
    )

    environment = the_one(
        plan_of_first(line, {**envs(prod=HEAD), "envs/prod/workflow.yaml": flow})
    )

    other, ask = environment.steps
    assert other.planned is None
    assert other.message.startswith("what it does is not known")
    assert ask.planned.effects == ("waits for a decision: Ready?",)


def test_without_a_store_neither_number_nor_rollback_is_known(line):
    released(line, {**envs(prod=HEAD), "envs/prod/web.yaml": "a: 1\n"})
    released(line, {"envs/prod/web.yaml": "a: 2\n"})

    environment = the_one(plan(line, {"envs/prod/web.yaml": "a: 1\n"}, store=False))

    assert (environment.number, environment.rollback_of) == (None, None)


def test_a_commit_that_closes_a_circle_of_waits_is_told_before_it_is_merged(line):
    after = HEAD + "targets: [cluster]\nafter: [{{environment: {}}}]\n"
    free = HEAD + "targets: [cluster]\n"
    released(line, envs(staging=free, prod=after.format("staging")))

    found = the_one(plan(line, envs(staging=after.format("prod"))))

    (problem,) = found.problems
    assert "staging waits for prod" in problem
    assert "which waits for staging (envs/prod/environment.yaml:4)" in problem
