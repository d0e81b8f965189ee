"""Files of an environment become core values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_wf.core.engine.plan import new_run
from gitops_wf.core.engine.variables import variables
from gitops_wf.core.environment import After, Drift, Subscription
from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.expressions import STATUS_FIELDS
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.policy import Policy
from gitops_wf.core.run import Subject
from gitops_wf.core.upkeep.ignoring import IgnoreRule, IgnoreTarget
from gitops_wf.core.workflow import Backoff, Input, Mode, Output, Retry
from gitops_wf.definitions.expression_rules import FIELDS
from gitops_wf.definitions.reader import DefinitionReader
from gitops_wf.ports.definitions import FolderSource
from tests.definitions import CATALOGUE, KNOWN, WORKFLOW, read, read_environment

VALID = Path(__file__).parents[2] / "data" / "definitions" / "valid"
READER = DefinitionReader(CATALOGUE, KNOWN)


def valid(path: str) -> bytes:
    return (VALID / path).read_bytes()


def good(files, **more):
    definition = read(files, **more)
    assert definition.problems == ()
    assert definition.environment is not None
    assert definition.workflow is not None
    return definition


def test_an_environment_becomes_a_core_value():
    definition = good(
        {
            "environment.yaml": valid("envs/prod/environment.yaml"),
            "workflow.yaml": WORKFLOW,
        }
    )

    environment = definition.environment
    assert environment.targets == ("eu", "us")
    assert environment.application == "web"
    assert environment.after == (
        After(environment="staging", soak=timedelta(minutes=30)),
    )
    assert environment.watch == ("base",)
    assert environment.drift == Drift(
        interval=timedelta(minutes=5),
        self_heal=True,
        ignore=(
            IgnoreRule(
                paths=("/spec/replicas",),
                target=IgnoreTarget(kind="Deployment", name="web-*"),
            ),
        ),
    )
    assert environment.notify == (
        Subscription(
            channel="ops",
            events=("suspended", "failed", "drift", "degraded", "recovered"),
        ),
    )
    assert environment.policy == Policy(
        approvers=("ann@example.com", "bob@example.com", "carol@example.com"),
        min_approvals=2,
        allow_author=False,
    )


def test_the_example_of_the_design_becomes_a_workflow():
    workflow = good({"workflow.yaml": valid("envs/prod/workflow.yaml")}).workflow

    deploy, seed, smoke, go_live, us, tell = workflow.steps
    assert workflow.timeout == timedelta(hours=1)
    assert (deploy.targets, us.targets, us.type) == (("eu",), ("us",), "deploy2env")
    assert seed.timeout == timedelta(minutes=5)
    assert seed.retry == Retry(
        limit=2,
        backoff=Backoff(
            duration=timedelta(seconds=10), factor=2, max_duration=timedelta(minutes=2)
        ),
    )
    assert smoke.outputs == (
        Output(name="version", value_from="response.body.version"),
    )
    assert go_live.condition == "!revision.rollback"
    assert go_live.properties == {
        "message": "v${{ outputs.version }} is live in the EU"
    }
    assert tell.condition == "always"


def test_a_step_without_a_timeout_has_its_types_own():
    workflow = good({"workflow.yaml": valid("envs/prod/workflow.yaml")}).workflow

    assert workflow.steps[-1].timeout == CATALOGUE.get("notification").default_timeout


def test_groups_modes_and_inputs_are_kept():
    workflow = good({"workflow.yaml": valid("envs/full/workflow.yaml")}).workflow

    assert (workflow.mode, workflow.sub_mode) == (Mode.DAG, Mode.STEP_BY_STEP)
    assert workflow.final_timeout == timedelta(minutes=5)
    group = workflow.steps[2]
    assert (group.is_group, group.mode) == (True, Mode.DAG)
    assert [sub.name for sub in group.sub_steps] == ["first", "second"]
    assert group.sub_steps[0].inputs == (
        Input(source="greeting", parameter_key="message"),
    )


def test_without_a_workflow_each_target_is_delivered_to_in_order():
    workflow = good({"workflow.yaml": None}).workflow

    assert [(s.name, s.type, s.targets, s.properties) for s in workflow.steps] == [
        ("deploy-eu", "deploy2env", ("eu",), {"target": "eu"}),
        ("deploy-us", "deploy2env", ("us",), {"target": "us"}),
    ]
    assert workflow.mode is Mode.STEP_BY_STEP


CLAIM = b"""\
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
---
apiVersion: db.example.org/v1
kind: SQLInstance
metadata: {name: database}
spec: {writeConnectionSecretToRef: {name: db}}
"""
HUB = replace(KNOWN, hub=TargetName("hub"))


def generated(files, known=HUB, **more):
    definition = read({"workflow.yaml": None, **files}, known=known, **more)
    assert definition.problems == ()
    return definition


def steps_of(definition):
    return [(step.name, step.type, step.targets) for step in definition.workflow.steps]


def test_cloud_resources_of_a_folder_come_before_its_deliveries():
    definition = generated({"db/claim.yaml": CLAIM})

    assert steps_of(definition) == [
        ("cloud-resources", "deploy-cloud-resource", ("hub", "eu", "us")),
        ("deploy-eu", "deploy2env", ("eu",)),
        ("deploy-us", "deploy2env", ("us",)),
    ]
    assert definition.environment.targets == ("eu", "us")
    assert definition.workflow.steps[0].owns_objects


def test_cloud_resources_of_a_base_count_too():
    files = {"kustomization.yaml": b"resources: [../../base]\n"}
    base = {
        "base/kustomization.yaml": b"resources: [claim.yaml]\n",
        "base/claim.yaml": CLAIM,
    }

    definition = generated(files, elsewhere=base)

    assert steps_of(definition)[0][0] == "cloud-resources"


@pytest.mark.parametrize(
    "path", ["jobs/claim.yaml", "approvals/claim.yaml", "NOTES.md", "claim.txt"]
)
def test_files_that_are_not_delivered_bring_no_cloud_resources(path):
    found = [name for name, *_ in steps_of(generated({path: CLAIM}))]

    assert found == ["deploy-eu", "deploy-us"]


def test_the_hub_is_a_target_of_the_step_and_not_of_the_environment():
    workflow = (
        b"apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
        b"  - {name: database, type: deploy-cloud-resource, properties: {target: eu}}\n"
        b"  - {name: deploy, type: deploy2env, properties: {target: eu}}\n"
    )

    definition = read(
        {"environment.yaml": None, "workflow.yaml": workflow, "claim.yaml": CLAIM},
        known=HUB,
    )

    assert definition.problems == ()
    assert definition.environment.targets == ("eu",)
    assert definition.environment.hub == "hub"
    assert definition.workflow.steps[0].targets == ("hub", "eu")


def test_a_target_of_a_placement_is_written_out_and_known():
    workflow = (
        b"apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
        b"  - {name: deploy, type: deploy2env}\n"
        b"  - name: share\n"
        b"    type: share-cloud-resource\n"
        b"    properties:\n"
        b"      placements:\n"
        b"        - target: test\n"
        b"        - target: nowhere\n"
        b"        - target: ${{ environment.name }}\n"
    )

    problems = read({"workflow.yaml": workflow}, known=HUB).problems

    assert [(problem.line, problem.message) for problem in problems] == [
        (
            10,
            "step `share`: `nowhere` is no target of the daemon config; known: eu, test, us",
        ),
        (
            11,
            (
                "step `share`: target must be written out: gates and queues need it"
                " before the step runs"
            ),
        ),
    ]


def test_without_environment_yaml_the_daemons_targets_are_used():
    definition = good(
        {"environment.yaml": None, "workflow.yaml": None}, targets=("test",)
    )

    assert definition.environment.targets == ("test",)
    assert [step.targets for step in definition.workflow.steps] == [("test",)]


def test_where_the_environment_names_no_target_a_step_may_name_any_of_the_config():
    steps = b"steps: [{name: deploy, type: deploy2env, properties: {target: us}}]\n"
    workflow = WORKFLOW.partition(b"steps:")[0] + steps

    definition = good(
        {"environment.yaml": None, "workflow.yaml": workflow}, targets=("test",)
    )

    assert definition.workflow.steps[0].targets == ("us",)
    assert definition.environment.targets == ("us",)


def test_a_target_that_the_config_lacks_is_told_even_so():
    steps = b"steps: [{name: deploy, type: deploy2env, properties: {target: uss}}]\n"
    workflow = WORKFLOW.partition(b"steps:")[0] + steps

    (problem,) = read({"environment.yaml": None, "workflow.yaml": workflow}).problems

    assert str(problem) == (
        "envs/prod/workflow.yaml:3: step `deploy`: `uss` is no target of the daemon"
        " config; did you mean `us`?"
    )


def test_a_delivery_to_no_target_at_all_is_told():
    (problem,) = read({"environment.yaml": None}).problems

    assert "has no targets to deliver to" in str(problem)


def test_a_step_on_all_targets_has_them_in_order():
    assert good({}).workflow.steps[0].targets == ("eu", "us")


def test_a_workflow_may_be_another_file_of_the_repository():
    environment = (
        b"apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\ntargets: [eu]\n"
        b"workflow: {ref: ../../workflows/standard.yaml}\n"
    )

    definition = good(
        {"environment.yaml": environment, "workflow.yaml": None},
        elsewhere={"workflows/standard.yaml": valid("workflows/standard.yaml")},
    )

    assert definition.environment.workflow_ref == "workflows/standard.yaml"
    assert [step.name for step in definition.workflow.steps] == ["deploy", "settle"]


def test_an_environment_may_be_the_root_of_its_repository():
    definition = good({"workflow.yaml": None}, folder="")

    assert definition.environment.folder == ""


def test_files_may_be_read_without_a_repository():
    files = {
        "envs/a/environment.yaml": valid("envs/staging/environment.yaml"),
    }

    definition = read_environment(
        files, folder="envs/a", name="shop/staging", catalogue=CATALOGUE
    )

    assert definition.problems == ()
    assert definition.workflow.steps[0].name == "deploy-test"


def test_the_environment_is_there_when_only_the_workflow_is_wrong():
    definition = read({"workflow.yaml": b"kind: Workflow\n"})

    assert definition.environment.targets == ("eu", "us")
    assert definition.workflow is None
    assert [problem.line for problem in definition.problems] == [1, 1]


def test_both_files_are_reported():
    definition = read(
        {"environment.yaml": b"kind: Environmint\n", "workflow.yaml": b"steps: 3\n"}
    )

    assert {problem.path for problem in definition.problems} == {
        "envs/prod/environment.yaml",
        "envs/prod/workflow.yaml",
    }


def test_many_problems_are_cut_after_twenty():
    steps = "".join(f"  - {{name: s{n}, type: nothing}}\n" for n in range(30))
    head = WORKFLOW.split(b"  - ")[0]

    problems = read({"workflow.yaml": head + steps.encode()}).problems

    assert len(problems) == 21
    assert str(problems[-1]) == "envs/prod/workflow.yaml:24: and more from here on"


def test_a_file_that_cannot_be_read_is_a_problem():
    def refuse(path):
        raise DefinitionError(path, None, "is a link; only regular files are read")

    source = FolderSource(
        repository="shop",
        folder="a",
        name="a",
        paths=("workflow.yaml",),
        read=refuse,
        targets=("eu",),
    )

    (problem,) = READER.read(source).problems

    assert str(problem) == "a/workflow.yaml: is a link; only regular files are read"


def test_properties_that_are_filled_in_later_are_judged_later():
    text = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: deploy, type: deploy2env}
  - name: wait
    type: suspend
    properties: {duration: "${{ revision.number }}m"}
  - name: seed
    type: run-job
    properties: {target: eu}
    inputs: [{from: revision.branch, parameterKey: image}]
"""
    workflow = good({"workflow.yaml": text.encode()}).workflow

    assert workflow.steps[1].properties == {"duration": "${{ revision.number }}m"}
    assert workflow.steps[2].targets == ("eu",)


def test_a_secret_that_is_granted_may_be_used():
    text = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: deploy, type: deploy2env}
  - name: hook
    type: webhook
    properties: {url: {secretRef: {name: token}}}
"""
    good({"workflow.yaml": text.encode()})


@pytest.mark.parametrize(
    ("folder", "globs", "name"),
    [
        ("envs/prod", ["envs/*"], "prod"),
        ("envs/shop/prod", ["envs/**"], "shop/prod"),
        ("envs/shop/prod", ["envs/*/prod"], "shop/prod"),
        ("envs/prod", ["envs/prod"], "prod"),
        ("a/b/c", ["x/*", "a/b/*"], "c"),
        ("envs/Prod_EU", ["envs/*"], "prod-eu"),
        ("prod", ["*"], "prod"),
        ("", ["."], "root"),
    ],
)
def test_an_environment_is_named_by_its_path_below_the_glob(folder, globs, name):
    assert READER.name(folder, globs, None) == name
    assert READER.is_environment_folder(folder, globs) is True


def test_a_name_in_the_file_wins():
    data = valid("envs/staging/environment.yaml")

    assert READER.name("envs/x", ["envs/*"], data) == "shop/staging"


def test_a_file_without_a_name_leaves_the_paths():
    assert READER.name("envs/x", ["envs/*"], b"kind: Environment\nbad: key\n") == "x"


@pytest.mark.parametrize("data", [b"name: Not A Name\n", b"a: [", b"- a\n"])
def test_a_name_that_is_not_valid_is_an_error(data):
    with pytest.raises(DefinitionError):
        READER.name("envs/x", ["envs/*"], data)


@pytest.mark.parametrize(
    ("folder", "globs", "is_one"),
    [
        ("envs/prod", ["envs/*", "!envs/base"], True),
        ("envs/base", ["envs/*", "!envs/base"], False),
        ("envs/base", ["!envs/base", "envs/*"], False),
        ("envs/a/b", ["envs/*"], False),
        ("envs", ["envs/*"], False),
        ("envs/a/b", ["envs/**"], True),
        ("envs/a", ["**/a"], True),
        ("a", ["**/a"], True),
        ("envs/prod-1", ["envs/prod-[0-9]"], True),
        ("envs/prod", ["/envs/*/"], True),
        ("envs/prod", [], False),
        ("envs/prod", ["!envs/x"], False),
        ("a/" * 40 + "b", ["**/a/**/a/**/a/**/a/**/c"], False),
    ],
)
def test_globs_choose_folders(folder, globs, is_one):
    assert READER.is_environment_folder(folder, globs) is is_one


def test_expressions_know_the_fields_that_they_are_given():
    run = new_run(
        run="shop/prod#1.1",
        ordinal=1,
        subject=Subject(
            environment="shop/prod", number=1, commit="4f1c2d9e" * 5, inputs="x"
        ),
        workflow=good({}).workflow,
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )

    seen = variables(run)

    assert {root: frozenset(seen[root]) for root, _ in FIELDS} == dict(FIELDS)
    assert {frozenset(status) for status in seen["status"].values()} == {STATUS_FIELDS}
