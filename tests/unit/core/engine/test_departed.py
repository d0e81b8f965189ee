"""What left a workflow: whose objects go, and whose stay."""

from dataclasses import replace

import pytest

from gitops_wf.core.engine import departed, with_pruning
from gitops_wf.core.identifiers import StepName, TargetName
from gitops_wf.core.inventory import Inventory, InventoryEntry, ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.core.workflow import Mode
from tests.simulation import NO, Simulation, a_run, step, workflow

EU, US = TargetName("eu"), TargetName("us")


def deploy(name, *targets, **more):
    return step(
        name, "deploy2env", targets=" ".join(targets), owns_objects=True, **more
    )


def ended(flow, phase=Phase.SUCCEEDED, tried=()):
    run = a_run(flow)
    steps = [replace(each, attempt=int(each.name in tried)) for each in run.steps]
    return replace(run, phase=phase, steps=tuple(steps))


def owned_by(*steps):
    return Inventory(
        entries=tuple(
            InventoryEntry(
                ref=ObjectRef(group="", kind="Secret", namespace="x", name=name),
                version="v1",
                step=name,
            )
            for name in steps
        )
    )


def compare(flow, *earlier, **inventories):
    known = {TargetName(name): each for name, each in inventories.items()}
    return departed(flow, inventories=known, earlier=earlier)


def test_a_first_run_has_nothing_that_left():
    found = compare(workflow(deploy("out", EU)))

    assert (found.keep, found.left) == ({}, ())


def test_a_step_that_succeeded_and_is_gone_has_departed():
    before = ended(workflow(deploy("old", EU), deploy("other", US)))

    found = compare(workflow(deploy("new", EU), deploy("other", US)), before)

    assert found.keep == {EU: ("new",)}
    assert found.left == ()


def test_what_only_the_inventory_knows_departs_too():
    found = compare(workflow(deploy("new", EU)), eu=owned_by("old", "new"))

    assert found.keep == {EU: ("new",)}


def test_a_failed_run_counts_for_the_steps_that_it_tried():
    flow = workflow(deploy("one", EU), deploy("two", EU), deploy("three", US))
    before = ended(flow, Phase.FAILED, tried={"one"})
    new = workflow(deploy("new", EU), deploy("newer", US))

    assert compare(new, before).keep == {EU: ("new",)}


def test_every_run_back_to_the_last_good_one_counts():
    runs = [
        ended(workflow(deploy("new", EU)), Phase.FAILED, tried={"new"}),
        ended(workflow(deploy("old", EU))),
    ]

    assert compare(workflow(deploy("new", EU)), *runs).keep == {EU: ("new",)}


def test_a_step_that_owns_nothing_leaves_nothing():
    before = ended(workflow(step("seed", "run-job", targets="eu"), deploy("out", EU)))

    assert compare(workflow(deploy("out", EU)), before).keep == {}


def test_a_step_that_gives_up_one_of_its_targets_departs_there():
    before = ended(workflow(deploy("out", EU, US)))
    new = workflow(deploy("out", EU), deploy("us", US))

    assert compare(new, before).keep == {EU: ("out",), US: ("us",)}


def test_a_target_that_nothing_writes_to_any_more_has_left():
    before = ended(workflow(deploy("out", EU), deploy("us", US)))

    found = compare(workflow(deploy("out", EU)), before)

    assert (found.keep, found.left) == ({}, (US,))


def test_a_target_leaves_once():
    runs = [
        ended(workflow(deploy("out", EU)), Phase.FAILED),
        ended(workflow(deploy("out", EU), deploy("us", US))),
    ]

    assert compare(workflow(deploy("out", EU)), *runs).left == ()


def test_nothing_is_added_where_nothing_left():
    flow = workflow(deploy("out", EU))

    assert with_pruning(flow, {}) is flow


def test_the_added_step_has_a_name_of_its_own():
    flow = workflow(deploy("prune-departed", EU), deploy("prune-departed-2", EU))

    planned = with_pruning(flow, {EU: (StepName("prune-departed"),)})

    assert planned.steps[-1].name == "prune-departed-3"


@pytest.mark.parametrize("mode", Mode)
def test_the_added_step_comes_after_all_others(mode):
    flow = workflow(deploy("a", EU), deploy("b", EU), step("c", when="1 > 2"))
    planned = with_pruning(flow, {EU: ("a", "b"), US: ("b",)})
    simulation = Simulation(*planned.steps, mode=mode)

    run = simulation.go()

    assert run.phase is Phase.SUCCEEDED
    assert simulation.phases["c"] == "Skipped"
    assert simulation.acted[-2:] == ["prune-departed/eu", "prune-departed/us"]


@pytest.mark.parametrize("mode", Mode)
def test_the_added_step_is_left_out_where_anything_failed(mode):
    flow = workflow(deploy("a", EU), deploy("b", EU), step("c", when="always"))
    planned = with_pruning(flow, {EU: ("a", "b")})
    simulation = Simulation(*planned.steps, mode=mode, script={"a": [NO]})

    run = simulation.go()

    assert run.phase is Phase.FAILED
    assert simulation.phases["prune-departed"] == "Skipped"
    assert "prune-departed" not in simulation.acted
