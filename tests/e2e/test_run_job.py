"""run-job on the sandbox process: made once, its end and its log read."""

import uuid

import pytest
import yaml

from gitops_wf.core.changeset import Change
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.delivery.job_states import secret_names
from gitops_wf.steps.run_job import STEP_TYPE as RUN_JOB
from gitops_wf.steps.run_job import manifest_path
from tests import sandbox_process
from tests.delivering import World


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandbox_process.running(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def world(sandbox):
    made = World(kubeconfig=sandbox.kubeconfig, namespace=f"gw-{uuid.uuid4().hex[:8]}")
    made.cluster.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace}}
    )
    return made


def job(image="busybox:1", **spec):
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "seed"},
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {"containers": [{"name": "main", "image": image}]}},
            **spec,
        },
    }


def jobs(world):
    return world.cluster.list(
        world.cluster.resource("batch/v1", "Job"), world.namespace
    )


def test_a_job_of_a_manifest_runs_to_its_end(world):
    world.add(job(), path="jobs/seed.yaml")

    result = world.attempt(RUN_JOB, manifest="jobs/seed.yaml")
    result = world.until_done(RUN_JOB, result, manifest="jobs/seed.yaml")

    assert result.phase is Phase.SUCCEEDED
    [made] = jobs(world)
    assert made["metadata"]["name"].startswith("seed-4f1c2d9e-")
    assert (
        result.message == f"Job/{world.namespace}/{made['metadata']['name']} complete"
    )
    assert result.outputs["exitCode"] == 0
    assert result.outputs["log"]
    assert made["spec"]["ttlSecondsAfterFinished"] == 24 * 60 * 60
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_an_attempt_that_is_repeated_finds_its_job(world):
    properties = {"image": "busybox:1", "command": ["true"]}

    first = world.attempt(RUN_JOB, **properties)
    second = world.attempt(RUN_JOB, **properties)

    assert first.memo == second.memo
    assert len(jobs(world)) == 1


def test_another_try_makes_another_job_and_ends_the_one_before(world):
    properties = {"image": "hang:1"}
    first = world.attempt(RUN_JOB, **properties)
    context = world.context(RUN_JOB, properties, attempt=2)

    second = world.runner(RUN_JOB).attempt(context)

    assert second.memo["name"] != first.memo["name"]
    left = [
        each["metadata"]["name"]
        for each in jobs(world)
        if "deletionTimestamp" not in each["metadata"]
    ]
    assert left == [second.memo["name"]]


def test_the_name_does_not_come_from_the_revision_s_number(world):
    first = world.attempt(RUN_JOB, image="busybox:1")
    world.number = 7

    again = world.attempt(RUN_JOB, image="busybox:1")

    assert again.memo["name"] == first.memo["name"]


def test_a_job_that_fails_tells_its_exit_code_and_log(world):
    properties = {"image": "fail:1", "backoffLimit": 0}

    result = world.attempt(RUN_JOB, **properties)
    result = world.until_done(RUN_JOB, result, **properties)

    assert result.phase is Phase.FAILED
    assert result.reason == "JobFailed"
    assert "BackoffLimitExceeded" in result.message
    assert "exited with 1" in result.message
    assert result.outputs["exitCode"] == 1


def test_an_image_that_does_not_exist_fails_fast(world):
    properties = {"image": "broken:1"}

    result = world.attempt(RUN_JOB, **properties)
    result = world.until_done(RUN_JOB, result, **properties)

    assert result.phase is Phase.FAILED
    assert "ImagePullBackOff" in result.message


def test_a_suspended_job_is_waited_for_and_said_to_be_suspended(world):
    world.add(job(suspend=True), path="jobs/seed.yaml")

    result = world.attempt(RUN_JOB, manifest="jobs/seed.yaml")

    assert result.phase is Phase.RUNNING
    assert result.message.endswith("Job is suspended")


def test_a_job_that_was_deleted_meanwhile_is_an_error(world):
    properties = {"image": "hang:1"}
    result = world.attempt(RUN_JOB, **properties)
    ref = ObjectRef(
        group="batch",
        kind="Job",
        namespace=world.namespace,
        name=result.memo["name"],
    )
    world.cluster.delete(ref, "v1")

    context = world.context(RUN_JOB, properties, look=1, memo=result.memo)
    looked = world.runner(RUN_JOB).look(context)
    while looked.phase is Phase.RUNNING:
        looked = world.runner(RUN_JOB).look(context)

    assert looked.phase is Phase.ERRORED
    assert looked.reason == "JobDeleted"


def test_a_manifest_that_is_no_job_is_a_definition_error(world):
    world.content.files["envs/prod/jobs/a.yaml"] = yaml.safe_dump(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    ).encode()

    result = world.attempt(RUN_JOB, manifest="jobs/a.yaml")

    assert result.reason == "InvalidDefinition"
    assert "exactly one Job" in result.message
    with pytest.raises(TerminalError, match="no such file"):
        world.attempt(RUN_JOB, manifest="jobs/none.yaml")


def test_the_job_may_stand_in_the_step_itself(world):
    value = job(image="hello:1")
    value["spec"]["template"]["spec"]["serviceAccountName"] = "seeder"
    del value["metadata"]["name"]

    result = world.attempt(RUN_JOB, value=value)

    [made] = jobs(world)
    assert made["metadata"]["name"].startswith("deploy-4f1c2d9e-")
    assert made["spec"]["template"]["spec"]["serviceAccountName"] == "seeder"
    assert result.phase in {Phase.RUNNING, Phase.SUCCEEDED}


def test_a_value_that_is_no_job_is_a_definition_error(world):
    result = world.attempt(RUN_JOB, value={"kind": "Pod", "apiVersion": "v1"})

    assert (result.phase, result.reason) == (Phase.FAILED, "InvalidDefinition")
    assert "value must be a Job" in result.message


def test_a_plan_shows_the_job_and_makes_none(world):
    planned = world.plan(RUN_JOB, image="busybox:1")

    [shown] = planned.objects
    assert (shown.ref.kind, shown.change) == ("Job", Change.CREATED)
    assert (
        shown.after["spec"]["template"]["spec"]["containers"][0]["image"] == "busybox:1"
    )
    assert jobs(world) == []


def test_a_plan_says_what_the_server_refuses(world):
    planned = world.plan(RUN_JOB, image="busybox:1", namespace="nowhere")

    assert "nowhere" in planned.failure


def test_the_short_form_takes_variables_from_secrets(world):
    properties = {
        "image": "busybox:1",
        "args": ["-c", "true"],
        "env": {
            "MODE": "full",
            "PASSWORD": {"secretKeyRef": {"name": "db", "key": "password"}},
            "REGION": {"configMapKeyRef": {"name": "a", "key": "b", "optional": True}},
        },
        "envFrom": [{"secret": "db"}, {"configMap": "app", "prefix": "APP_"}],
    }

    world.attempt(RUN_JOB, **properties)

    [made] = jobs(world)
    [container] = made["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [
        {"name": "MODE", "value": "full"},
        {
            "name": "PASSWORD",
            "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}},
        },
        {
            "name": "REGION",
            "valueFrom": {
                "configMapKeyRef": {"name": "a", "key": "b", "optional": True}
            },
        },
    ]
    assert container["envFrom"] == [
        {"secretRef": {"name": "db"}},
        {"configMapRef": {"name": "app"}, "prefix": "APP_"},
    ]


@pytest.mark.parametrize(
    ("properties", "mend"),
    [
        ({}, "one of manifest, image and value"),
        ({"image": "a", "manifest": "b"}, "one of manifest, image and value"),
        ({"manifest": "b", "args": ["c"]}, "write them there"),
        ({"manifest": "../b"}, "stay inside"),
        ({"image": "a", "envFrom": [{}]}, "either secret or configMap"),
        ({"image": "a", "target": "x", "targets": ["y"]}, "target or targets"),
        ({"image": "a", "imagePullPolicy": "Always"}, "Extra inputs"),
        ({"image": "a", "value": {}}, "one of manifest, image and value"),
        ({"value": {}, "env": {"A": "b"}}, "write them there"),
        ({"image": "a", "env": {"A": 1}}, "in quotes"),
        ({"image": "a", "env": {"A": {}}}, "one of value, secretKeyRef"),
        ({"image": "a", "env": {"A": {"secretKeyRef": {"name": "b"}}}}, "key"),
        ({"image": "a", "onlyOnce": ""}, "at least 1 character"),
    ],
)
def test_wrong_properties_say_what_would_be_right(properties, mend):
    with pytest.raises(ValueError, match=mend):
        RUN_JOB.properties.model_validate(properties)


def test_a_job_s_manifest_is_never_delivered(world):
    properties = RUN_JOB.properties.model_validate({"manifest": "seed/job.yaml"})
    environment = world.context(RUN_JOB, {"image": "a"}).environment

    assert manifest_path(properties, environment) == ("envs/prod/seed/job.yaml",)


def test_the_log_of_a_job_shows_no_value_of_the_secrets_that_it_uses(world):
    values = {"user": "postgres", "password": "S3cr3t-of-the-job", "short": "on"}
    world.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "db", "namespace": world.namespace},
            "stringData": values,
        }
    )
    made = job()
    made["spec"]["template"]["metadata"] = {
        "annotations": {
            "sandbox.gitops-wf.io/log": "on to postgres with S3cr3t-of-the-job"
        }
    }
    [container] = made["spec"]["template"]["spec"]["containers"]
    container["env"] = [
        {
            "name": "PASSWORD",
            "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}},
        }
    ]
    world.add(made, path="jobs/seed.yaml")

    result = world.attempt(RUN_JOB, manifest="jobs/seed.yaml")
    result = world.until_done(RUN_JOB, result, manifest="jobs/seed.yaml")

    assert result.outputs["log"] == "on to *** with ***\n"


@pytest.mark.parametrize(
    "given",
    [
        {"containers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]},
        {"initContainers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]},
        {"volumes": [{"name": "v", "secret": {"secretName": "db"}}]},
        {
            "volumes": [
                {"name": "v", "projected": {"sources": [{"secret": {"name": "db"}}]}}
            ]
        },
    ],
)
def test_every_way_to_give_a_pod_a_secret_is_known(given):
    other = {"name": "w", "configMap": {"name": "app"}}
    spec = {**given, "volumes": [*given.get("volumes", ()), other]}

    assert secret_names(spec) == {"db"}
