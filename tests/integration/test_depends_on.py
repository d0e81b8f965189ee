"""depends-on between environments: real Git, the real store, a test's clock."""

from datetime import timedelta

import pytest

from gitops_wf.steps.depends_on import STEP_TYPE as DEPENDS_ON
from gitops_wf.steps.wait import STEP_TYPE as WAIT
from tests.releases import ReleaseLine

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
STAGING = HEAD + "  - {name: out, type: deploy2env, properties: {target: cluster}}\n"
SLOW = (
    HEAD
    + "  - {name: soak, type: wait, properties: {duration: 10m}}\n"
    + STAGING.removeprefix(HEAD)
)


def prod(**properties):
    fields = ", ".join(f"{key}: {value}" for key, value in properties.items())
    return (
        HEAD
        + f"  - {{name: first, type: depends-on, properties: {{{fields}}}}}\n"
        + STAGING.removeprefix(HEAD)
    )


@pytest.fixture
def line(tmp_path):
    made = ReleaseLine(tmp_path, more_steps=(DEPENDS_ON, WAIT))
    yield made
    made.close()


def push(line, **files):
    sha = line.commit(
        {
            path.replace("__", "/").replace("_yaml", ".yaml"): text
            for path, text in files.items()
        }
    )
    line.settle()
    return sha


def first(line):
    return next(step for step in line.run("prod").steps if step.name == "first")


def test_an_environment_waits_for_the_other_and_goes_on_when_it_has_succeeded(line):
    push(
        line,
        envs__prod__workflow_yaml=prod(environment="staging"),
        envs__staging__workflow_yaml=SLOW,
    )
    waiting = first(line)
    line.wait(timedelta(minutes=9))
    before = list(line.deploy.done)
    line.wait(timedelta(minutes=2))

    assert waiting.phase == "Running"
    assert waiting.message.startswith("waits for staging#1 (")
    assert waiting.message.endswith("which is Running")
    assert before == []
    assert [name for name, _, _ in line.deploy.done] == ["staging", "prod"]
    assert "has succeeded" in first(line).message


def test_it_fails_at_once_when_the_other_has_failed(line):
    push(
        line,
        envs__prod__workflow_yaml=prod(environment="staging"),
        envs__staging__workflow_yaml=STAGING,
        envs__staging__outcome="fail",
    )
    line.wait(timedelta(seconds=5))

    step = first(line)
    assert (step.phase, step.reason) == ("Failed", "DependencyFailed")
    assert "staging#1 (" in step.message
    assert "has ended Failed" in step.message
    assert line.phases("prod") == ["Failed/DependencyFailed"]


def test_the_newest_counts_unless_the_step_says_otherwise(line):
    push(line, envs__staging__workflow_yaml=STAGING, envs__staging__cm_yaml="a: 1")
    push(line, envs__prod__workflow_yaml=prod(environment="staging"))
    newest = first(line).message
    push(
        line,
        envs__staging__cm_yaml="a: 2",
        envs__staging__outcome="fail",
        envs__prod__cm_yaml="b: 1",
    )
    line.wait(timedelta(seconds=5))

    assert "staging#1 (" in newest
    assert line.phases("prod") == ["Succeeded", "Failed/DependencyFailed"]
    assert "staging#2 (" in first(line).message


def test_what_came_after_the_commit_does_not_count_where_it_says_so(line):
    push(line, envs__staging__workflow_yaml=STAGING)
    line.commit(
        {"envs/prod/workflow.yaml": prod(environment="staging", revision="atOrBefore")}
    )
    line.commit({"envs/staging/outcome": "fail"})
    line.settle()
    line.wait(timedelta(seconds=5))

    assert line.phases("staging") == ["Succeeded", "Failed/StepFailed"]
    assert line.phases("prod") == ["Succeeded"]
    assert "staging#1 (" in first(line).message


def test_the_very_same_commit_can_be_asked_for(line):
    both = {
        "envs__prod__workflow_yaml": prod(environment="staging", revision="same"),
        "envs__staging__workflow_yaml": STAGING,
    }
    push(line, **both)
    line.wait(timedelta(seconds=5))
    sha = push(line, envs__prod__cm_yaml="a: 1")
    line.wait(timedelta(seconds=5))

    step = first(line)
    assert line.phases("prod") == ["Succeeded", "Failed/NoSuchRevision"]
    assert f"no revision of commit {sha[:8]}" in step.message


def test_an_environment_that_is_not_there_makes_the_definition_invalid(line):
    push(
        line,
        envs__prod__workflow_yaml=prod(environment="stagging"),
        envs__staging__workflow_yaml=STAGING,
    )

    (revision,) = line.revisions("prod")
    assert (revision.phase, revision.reason) == ("Failed", "InvalidDefinition")
    assert "no environment `stagging`" in revision.message
    assert "did you mean `staging`?" in revision.message
    assert line.deploy.done[0][0] == "staging"


def test_an_environment_does_not_depend_on_itself(line):
    push(line, envs__prod__workflow_yaml=prod(environment="prod"))

    (revision,) = line.revisions("prod")
    assert "would wait for its own environment" in revision.message


def test_a_wait_outlives_a_restart_of_the_daemon(line):
    push(line, envs__staging__workflow_yaml=SLOW)
    line.wait(timedelta(minutes=5))
    line.restart()
    line.wait(timedelta(minutes=4, seconds=59))
    before = list(line.deploy.done)
    line.wait(timedelta(seconds=2))

    assert before == []
    assert line.phases("staging") == ["Succeeded"]
