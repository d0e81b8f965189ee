"""What inventories prove: that all of a workflow was done, as far as it matters."""

import pytest

from gitops_wf.core.adoption import is_released
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import Inventory, InventoryEntry, ObjectRef
from gitops_wf.core.workflow import Mode
from tests.simulation import group, step, suspend, workflow

EU, US = TargetName("eu"), TargetName("us")


def deploy(name, targets="eu", **more):
    return step(name, "deploy2env", targets=targets, owns_objects=True, **more)


def tell(name, **more):
    return step(name, "notification", only_tells=True, **more)


def hook(name="hook", **more):
    return step(name, "webhook", **more)


def inventory(*completed, owners=(), inputs="new"):
    return Inventory(
        completed=dict.fromkeys(completed, inputs),
        entries=tuple(
            InventoryEntry(
                ref=ObjectRef(group="", kind="ConfigMap", namespace="n", name=f"o-{o}"),
                version="v1",
                step=o,
            )
            for o in owners
        ),
    )


def test_a_completed_delivery_is_a_release():
    assert is_released(
        workflow(deploy("out")), "new", {EU: inventory("out", owners=["out"])}
    )


@pytest.mark.parametrize(
    ("why", "inventories"),
    [
        ("no inventory", {}),
        ("nothing completed", {EU: inventory()}),
        ("other inputs", {EU: inventory("out", inputs="old")}),
        ("objects of a step that left", {EU: inventory("out", owners=["gone"])}),
    ],
)
def test_it_is_none_with(why, inventories):
    assert not is_released(workflow(deploy("out")), "new", inventories), why


def test_every_target_of_a_step_must_have_completed_it():
    flow = workflow(deploy("out", targets="eu us"))
    both = {EU: inventory("out/eu"), US: inventory("out/us")}

    assert is_released(flow, "new", both)
    assert not is_released(flow, "new", {EU: inventory("out/eu"), US: inventory()})


def test_what_comes_before_the_last_delivery_is_proven_by_it():
    flow = workflow(deploy("eu"), suspend("go"), hook(), deploy("us", "us"))

    assert is_released(flow, "new", {EU: inventory("eu"), US: inventory("us")})


@pytest.mark.parametrize("last", [hook(), suspend("go"), step("seed", "run-job")])
def test_what_comes_after_the_last_delivery_is_not(last):
    flow = workflow(deploy("out"), last)

    assert not is_released(flow, "new", {EU: inventory("out")})


def test_messages_at_the_end_are_taken_for_sent():
    flow = workflow(deploy("out"), tell("ops", when="always"))

    assert is_released(flow, "new", {EU: inventory("out")})


def test_a_step_beside_a_delivery_is_not_proven_by_it():
    flow = workflow(deploy("out"), hook(), mode=Mode.DAG)

    assert not is_released(flow, "new", {EU: inventory("out")})


def test_a_delivery_that_runs_in_any_case_proves_nothing_before_it():
    flow = workflow(hook(), deploy("out", when="always"))

    assert not is_released(flow, "new", {EU: inventory("out")})


def test_a_delivery_in_a_group_counts_for_what_is_before_the_group():
    flow = workflow(hook(), group("all", deploy("a"), deploy("b")))

    assert is_released(flow, "new", {EU: inventory("a", "b")})


def test_a_workflow_that_delivers_nothing_leaves_no_proof():
    assert not is_released(workflow(hook()), "new", {})
