"""Whose turn it is, on a real repository and store: dead ends, and work done again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.releases import ReleaseLine, approval

ENVIRONMENT = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"


@pytest.fixture
def line(tmp_path: Path) -> Iterator[ReleaseLine]:
    made = ReleaseLine(tmp_path, implicit=True)
    yield made
    made.close()


def test_what_waits_for_a_release_that_failed_makes_room_for_the_next(line):
    after = ENVIRONMENT + "after: [{environment: staging}]\n"
    line.commit(
        {
            "envs/staging/outcome": "fail",
            "envs/staging/web.yaml": "one",
            "envs/prod/environment.yaml": after,
            "envs/prod/web.yaml": "one",
        }
    )
    line.settle()
    before = line.phases("prod")

    line.commit(
        {
            "envs/staging/outcome": "ok",
            "envs/staging/web.yaml": "two",
            "envs/prod/web.yaml": "two",
        }
    )
    line.settle()
    line.wait(timedelta(minutes=1))

    assert before == ["Pending/WaitingForEnvironment"]
    assert line.phases("prod") == ["Aborted/Superseded", "Succeeded"]


def test_what_is_for_a_target_that_hangs_begins_when_it_answers_and_others_now(line):
    request = line.reaching.begun("sick")
    line.clock.pass_time(timedelta(minutes=1))
    request.lost("no answer in time", hung=True)
    for name, target in (("a", "sick"), ("b", "sick"), ("c", "good")):
        text = ENVIRONMENT + f"targets: [{target}]\n"
        line.commit(
            {f"envs/{name}/environment.yaml": text, f"envs/{name}/web.yaml": "one"}
        )
    line.settle()

    assert line.phases("a") == line.phases("b") == ["Running"]
    assert line.phases("c") == ["Succeeded"]
    assert [step.attempt for step in line.run("a").steps] == [1]
    assert not line.run("a").steps[0].started  # its own time-out has not begun

    line.reaching.begun("sick").answered()
    line.wait(timedelta(minutes=1))
    assert line.phases("a") == line.phases("b") == ["Succeeded"]


def test_a_redeployed_revision_waits_for_the_run_in_progress(line):
    line.commit({"envs/prod/web.yaml": "one", "envs/prod/outcome": "hold"})
    line.settle()
    two = line.commit({"envs/prod/web.yaml": "two", "envs/prod/outcome": "ok"})
    line.settle()
    path = "envs/prod/approvals/{}.yaml"
    author = line.work.author
    line.commit({path.format("a"): approval(two, "", by=author, decision="abort")})
    line.settle()
    aborted = line.phases("prod")

    line.commit({path.format("b"): approval(two, "", by=author, decision="redeploy")})
    line.settle()
    queued = line.phases("prod")
    line.wait(timedelta(minutes=11))

    assert aborted == ["Running", "Aborted/Aborted"]
    assert queued == ["Running", "Pending"]
    assert line.phases("prod") == ["Failed/Timeout", "Succeeded"]


@pytest.mark.parametrize(
    ("parallel", "reached"),
    [("true", ["out/eu on eu", "out/us on us"]), ("false", ["out/eu on eu"])],
)
def test_parallel_targets_are_reached_although_one_of_them_fails(
    tmp_path, parallel, reached
):
    line = ReleaseLine(tmp_path, targets=("eu", "us"))
    line.deploy.fail = {"out/eu"}
    properties = f"{{targets: [eu, us], parallel: {parallel}}}"
    flow = (
        "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
        f"  - {{name: out, type: deploy2env, properties: {properties}}}\n"
    )

    line.commit({"envs/prod/workflow.yaml": flow})
    line.settle()

    assert line.phases("prod") == ["Failed/StepFailed"]
    assert line.deploy.reached == reached
    line.close()
