"""Environments that wait for each other: told at the commit that closes the circle."""

from datetime import timedelta

import pytest

from gitops_wf.steps.depends_on import STEP_TYPE as DEPENDS_ON
from tests.releases import ReleaseLine

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
DEPLOY = "  - {name: out, type: deploy2env, properties: {target: cluster}}\n"
ENVIRONMENT = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
PROD = "envs/prod/workflow.yaml"
STAGING = "envs/staging/workflow.yaml"
FREE = HEAD + DEPLOY


def waits_for(name, more=""):
    return (
        f"{HEAD}  - {{name: first, type: depends-on,{more} properties:\n"
        f"      {{environment: {name}}}}}\n{DEPLOY}"
    )


@pytest.fixture
def line(tmp_path):
    made = ReleaseLine(tmp_path, more_steps=(DEPENDS_ON,))
    yield made
    made.close()


def push(line, files):
    line.commit(files)
    line.settle()
    line.wait(timedelta(minutes=1))


def message(line, environment):
    return line.revisions(environment)[-1].message


CIRCLE = (
    "envs/prod/workflow.yaml:5: prod waits for staging (envs/prod/workflow.yaml:5),"
    " which waits for prod (envs/staging/workflow.yaml:5): a commit that changes them"
    " all would never be released; remove one of these waits"
)


def test_both_of_a_first_commit_are_invalid_and_name_the_circle(line):
    push(line, {PROD: waits_for("staging"), STAGING: waits_for("prod")})

    assert line.phases("prod") == ["Failed/InvalidDefinition"]
    assert line.phases("staging") == ["Failed/InvalidDefinition"]
    assert message(line, "prod") == CIRCLE
    assert "staging waits for prod" in message(line, "staging")


def test_the_commit_that_closes_it_is_told_and_what_was_released_stays(line):
    push(line, {PROD: waits_for("staging"), STAGING: FREE})
    push(line, {STAGING: waits_for("prod")})

    assert line.phases("prod") == ["Succeeded"]
    assert line.phases("staging") == ["Succeeded", "Failed/InvalidDefinition"]
    assert "which waits for staging (envs/prod/workflow.yaml:5)" in message(
        line, "staging"
    )


def test_a_commit_that_turns_a_wait_round_is_no_circle(line):
    push(line, {PROD: FREE, STAGING: waits_for("prod")})
    push(line, {PROD: waits_for("staging"), STAGING: FREE})

    assert line.phases("prod") == ["Succeeded", "Succeeded"]
    assert line.phases("staging") == ["Succeeded", "Succeeded"]


def test_after_of_environment_yaml_is_a_wait_too(line):
    after = ENVIRONMENT + "after:\n  - environment: prod\n"
    push(
        line,
        {
            PROD: waits_for("staging"),
            STAGING: FREE,
            "envs/staging/environment.yaml": after,
        },
    )

    assert line.phases("prod") == ["Failed/InvalidDefinition"]
    assert "which waits for prod (envs/staging/environment.yaml:4)" in message(
        line, "prod"
    )


@pytest.mark.parametrize(
    ("condition", "phase"),
    [
        ("'!revision.rollback'", "Failed/InvalidDefinition"),
        ("always", "Failed/InvalidDefinition"),
        ("revision.branch == 'hotfix'", "Succeeded"),
    ],
)
def test_a_step_that_may_be_left_out_closes_no_circle(line, condition, phase):
    wait = waits_for("prod", f"\n    if: {condition},")
    push(line, {PROD: waits_for("staging"), STAGING: wait})

    assert line.phases("staging") == [phase]


def test_a_shared_workflow_counts_as_it_was_when_its_environment_was_read(line):
    shared = ENVIRONMENT + "workflow: {ref: ../../flows/shared.yaml}\n"
    push(
        line,
        {
            "flows/shared.yaml": FREE,
            "envs/prod/environment.yaml": shared,
            STAGING: waits_for("prod"),
        },
    )
    # No input of prod: its revision has the workflow that it was made with.
    push(line, {"flows/shared.yaml": waits_for("staging")})
    push(line, {"envs/staging/cm.yaml": "a: 1\n"})
    assert line.phases("staging") == ["Succeeded", "Succeeded"]

    push(line, {"envs/prod/cm.yaml": "a: 1\n"})
    assert line.phases("prod") == ["Succeeded", "Failed/InvalidDefinition"]
    assert "(flows/shared.yaml:5)" in message(line, "prod")


def test_a_rollback_is_not_held_up_by_it(line):
    push(line, {PROD: waits_for("staging"), STAGING: FREE, "envs/prod/cm.yaml": "a: 1"})
    push(line, {"envs/prod/cm.yaml": "a: 2"})
    push(line, {STAGING: waits_for("prod")})
    push(line, {"envs/prod/cm.yaml": "a: 1"})

    assert line.revisions("prod")[-1].rollback_of == 1
    assert line.phases("prod")[-1] != "Failed/InvalidDefinition"


def test_a_removed_environment_closes_none(line):
    push(line, {PROD: waits_for("staging"), STAGING: FREE})
    push(line, {STAGING: None})
    push(line, {STAGING: waits_for("prod"), PROD: FREE})

    assert line.phases("staging")[-1] == "Succeeded"
