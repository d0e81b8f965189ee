"""run-job with onlyOnce on the sandbox process: what is kept, and what runs again."""

import uuid
from dataclasses import replace

import pytest

from gitops_wf.core.changeset import Change
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.core.revision import REMOVED
from gitops_wf.delivery import RehearsedClusters
from gitops_wf.steps.prune_departed import STEP_TYPE as PRUNE
from gitops_wf.steps.run_job import STEP_TYPE as RUN_JOB
from tests import sandbox_process
from tests.clusters import eventually
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


ONCE = {"image": "busybox:1", "onlyOnce": True}


def jobs(world):
    resource = world.cluster.resource("batch/v1", "Job")
    return world.cluster.list(resource, world.namespace)


def delete(world, kind, name, group=""):
    ref = ObjectRef(group=group, kind=kind, namespace=world.namespace, name=name)
    world.cluster.delete(ref, "v1")


def marks(world):
    resource = world.cluster.resource("v1", "ConfigMap")
    found = world.cluster.list(resource, world.namespace)
    return [each for each in found if ".once-" in each["metadata"]["name"]]


def later(world, properties, *, commit="b" * 40, number=2, attempt=1, **changes):
    """An attempt of a later revision, to its end or until it has to wait for long."""
    context = world.context(RUN_JOB, properties)
    subject = replace(context.subject, commit=commit, number=number)
    run = f"shop/prod#{number}.1"
    changes |= {"subject": subject, "run": run, "attempt": attempt}
    runner = world.runner(RUN_JOB)
    result = runner.attempt(world.context(RUN_JOB, properties, **changes))
    return lambda: runner.look(
        world.context(RUN_JOB, properties, look=1, memo=result.memo, **changes)
    ), result


def done(world, properties):
    result = world.attempt(RUN_JOB, **properties)
    return world.until_done(RUN_JOB, result, **properties)


def test_a_later_revision_does_not_run_it_again(world):
    first = done(world, ONCE)

    _, second = later(world, ONCE)

    assert (first.phase, second.phase) == (Phase.SUCCEEDED, Phase.SUCCEEDED)
    assert (first.outputs["ranBefore"], second.outputs["ranBefore"]) == (False, True)
    assert second.outputs["job"] == first.outputs["job"]
    assert second.outputs["namespace"] == world.namespace
    [mark] = marks(world)
    assert mark["data"]["commit"] == "4f1c2d9e" * 5
    assert "of commit 4f1c2d9e: not again (ConfigMap/" in second.message
    assert mark["metadata"]["name"] in second.message


def test_the_mark_outlives_the_job(world):
    first = done(world, ONCE)
    delete(world, "Job", first.outputs["job"], "batch")

    _, second = later(world, ONCE)

    assert second.outputs["ranBefore"] is True
    assert jobs(world) == []


def test_a_job_that_ended_unseen_is_found_and_noted(world):
    """The daemon died, and its store was lost, before it saw the end."""
    world.attempt(RUN_JOB, **ONCE)
    eventually(lambda: jobs(world)[0].get("status", {}).get("completionTime"))
    assert marks(world) == []

    _, second = later(world, ONCE)

    assert (second.phase, second.outputs["ranBefore"]) == (Phase.SUCCEEDED, False)
    assert len(jobs(world)) == len(marks(world)) == 1


def test_a_job_that_runs_is_followed_by_the_next_revision(world):
    properties = {"image": "hang:1", "onlyOnce": True}
    first = world.attempt(RUN_JOB, **properties)

    _, second = later(world, properties)

    assert second.phase is Phase.RUNNING
    assert second.memo == first.memo


def test_a_failed_job_is_made_anew_by_the_next_attempt(world):
    failing = {"image": "fail:1", "backoffLimit": 0, "onlyOnce": True}
    first = done(world, failing)
    assert first.phase is Phase.FAILED
    assert marks(world) == []

    look, second = later(world, ONCE)

    assert second.phase is Phase.RUNNING
    assert "waiting for an earlier Job" in second.message
    made = eventually(lambda: look().memo)
    assert made["name"] == first.memo["name"]
    assert made["uid"] != first.memo["uid"]


def test_a_failed_job_is_told_again_to_the_attempt_that_made_it(world):
    failing = {"image": "fail:1", "backoffLimit": 0, "onlyOnce": True}
    first = done(world, failing)

    again = world.attempt(RUN_JOB, **failing)

    assert (again.phase, again.memo) == (Phase.FAILED, first.memo)


def test_another_attempt_of_the_run_begins_anew(world):
    properties = {"image": "hang:1", "onlyOnce": True}
    first = world.attempt(RUN_JOB, **properties)

    context = world.context(RUN_JOB, properties, attempt=2)
    second = world.runner(RUN_JOB).attempt(context)

    assert "name" not in second.memo
    eventually(
        lambda: all("deletionTimestamp" in job["metadata"] for job in jobs(world))
    )
    assert first.phase is Phase.RUNNING


def test_a_mended_manifest_takes_the_place_of_a_job_that_hangs(world):
    world.attempt(RUN_JOB, image="hang:1", onlyOnce=True)

    _, second = later(world, ONCE)

    assert "waiting for an earlier Job" in second.message


def test_a_changed_manifest_does_not_run_and_is_said_to_have_changed(world):
    done(world, ONCE)

    _, second = later(world, {"image": "busybox:2", "onlyOnce": True})

    assert second.outputs["ranBefore"] is True
    assert "its manifest has changed since" in second.message


def test_another_text_lets_it_run_again(world):
    first = done(world, ONCE)

    _, second = later(world, {**ONCE, "onlyOnce": "v2"})

    assert second.memo["name"] != first.memo["name"]
    assert len(jobs(world)) == 2


def test_the_job_has_no_time_to_live_unless_its_manifest_has(world):
    world.attempt(RUN_JOB, **ONCE)

    assert "ttlSecondsAfterFinished" not in jobs(world)[0]["spec"]


def test_what_is_removed_with_its_objects_runs_again_when_it_comes_back(world):
    first = done(world, ONCE)
    keep = {"keep": {"here": []}}
    gone = replace(world.context(PRUNE, keep).subject, inputs=REMOVED)
    runner = PRUNE.make(world.capabilities)
    kept = runner.attempt(world.context(PRUNE, keep))
    assert len(marks(world)) == 1

    result = runner.attempt(world.context(PRUNE, keep, subject=gone))
    again = runner.attempt(world.context(PRUNE, keep, subject=gone))

    assert kept.message == again.message
    assert first.outputs["job"] in result.message
    assert (marks(world), jobs(world)) == ([], [])
    assert world.attempt(RUN_JOB, **ONCE).phase is Phase.RUNNING


def test_a_plan_of_a_removal_shows_what_keeps_that_jobs_have_run(world):
    done(world, ONCE)
    keep = {"keep": {"here": []}}
    subject = replace(world.context(PRUNE, keep).subject, inputs=REMOVED)
    capabilities = replace(
        world.capabilities, clusters=RehearsedClusters(world.clusters)
    )

    planned = PRUNE.make(capabilities).plan(world.context(PRUNE, keep, subject=subject))

    assert sorted(each.ref.kind for each in planned.objects) == ["ConfigMap", "Job"]
    assert len(marks(world)) == len(jobs(world)) == 1


def test_a_plan_says_that_it_ran_before(world):
    done(world, ONCE)

    [planned] = world.plan(RUN_JOB, **ONCE).objects

    assert planned.change is Change.SKIPPED
    assert "not again" in planned.message
    assert not planned.is_different


def test_a_plan_says_that_a_failed_job_is_made_anew(world):
    done(world, {"image": "fail:1", "backoffLimit": 0, "onlyOnce": True})
    world.number = 2

    [planned] = world.plan(RUN_JOB, **ONCE).objects

    assert planned.change is Change.CONFIGURED
    assert planned.message == "deleted, and made anew"
