"""Told from the live object alone: would an apply change anything? Recorded truth."""

import copy
import json

import pytest

from gitops_wf.delivery.memory import Memory
from gitops_wf.delivery.settled import is_known_settled, is_settled
from tests import recorded_kubernetes as recorded

SCENARIOS = ["12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "23", "24"]


def applies():
    """Every recorded apply that was accepted, over an object that was there."""
    return [
        step
        for scenario in SCENARIOS
        for step in recorded.steps(scenario)
        if step.content_type == "application/apply-patch+yaml"
        and step.status == 200
        and step.live is not None
        and isinstance(step.body, dict)
        and not step.subresource
    ]


def as_ours(live, manager):
    """The object as if the recorded manager were ours, and ours another."""
    mine = copy.deepcopy(live)
    for entry in mine["metadata"].get("managedFields") or ():
        entry["manager"] = {manager: "gitops-wf"}.get(entry["manager"], "x")
    return mine


@pytest.mark.parametrize("step", applies(), ids=str)
def test_what_is_called_settled_was_not_changed_by_the_server(step):
    before = step.live["metadata"]["resourceVersion"]
    after = step.answer["metadata"]["resourceVersion"]

    settled = is_settled(step.body, as_ours(step.live, step.manager))

    assert not settled or before == after


def test_most_applies_are_seen_to_be_settled_right_after_them():
    """The rest is what the server normalises: an apply that asks finds it out."""
    done = [
        step
        for scenario in SCENARIOS
        for step in recorded.steps(scenario)
        if step.content_type == "application/apply-patch+yaml"
        and step.status in {200, 201}
        and isinstance(step.body, dict)
        and not step.subresource
        # Without any field there is nothing that we could own.
        and set(step.body) | set(step.body["metadata"])
        != {"apiVersion", "kind", "metadata", "name"}
        # Oddities on purpose: null, resourceVersion, duplicates.
        and step.scenario not in {"19", "20"}
    ]

    seen = [
        step
        for step in done
        if is_settled(step.body, as_ours(step.answer, step.manager))
    ]

    assert len(done) >= 40
    assert len(seen) >= len(done) * 0.8, [
        str(step) for step in done if step not in seen
    ]


def live_of(fields, **body):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        **body,
        "metadata": {
            "name": "a",
            "managedFields": [
                {
                    "manager": "gitops-wf",
                    "operation": "Apply",
                    "apiVersion": "v1",
                    "fieldsV1": fields,
                }
            ],
        },
    }


def wanted(**body):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        **body,
    }


@pytest.mark.parametrize(
    ("fields", "live", "desired", "settled"),
    [
        ({"f:data": {"f:k": {}}}, {"data": {"k": "1"}}, {"data": {"k": "1"}}, True),
        ({"f:data": {"f:k": {}}}, {"data": {"k": "2"}}, {"data": {"k": "1"}}, False),
        # A field that left Git is still ours on the cluster.
        (
            {"f:data": {"f:k": {}, "f:l": {}}},
            {"data": {"k": "1", "l": "1"}},
            {"data": {"k": "1"}},
            False,
        ),
        # The value is right, but another manager's: an apply would co-own it.
        ({"f:data": {}}, {"data": {"k": "1"}}, {"data": {"k": "1"}}, True),
        (
            {"f:x": {'k:{"n":1}': {".": {}, "f:n": {}}, 'k:{"n":2}': {"f:n": {}}}},
            {"x": [{"n": 1}, {"n": 2}]},
            {"x": [{"n": 2}, {"n": 1}]},
            False,
        ),
        ({"f:x": {'v:"a"': {}}}, {"x": ["b", "a"]}, {"x": ["a"]}, True),
        ({"f:x": {}}, {"x": 1}, {"x": True}, False),
        ({"f:x": {}}, {"x": {"y": 1}}, {"x": {"y": 1, "z": 2}}, False),
        ({}, {"data": {"k": "1"}}, {"data": {"k": "1"}}, False),
        # What is empty is owned, or has nothing to own, and may not be stored at all.
        ({"f:data": {}}, {}, {"data": {}}, True),
        ({"f:data": {}}, {"data": {"theirs": "1"}}, {"data": {}}, True),
        ({"f:x": {}}, {}, {"x": {}, "list": []}, True),
        ({"f:x": {}}, {"list": [{"theirs": "1"}]}, {"x": {}, "list": []}, True),
        ({}, {}, {"data": {}}, False),
        ({"f:x": {'k:{"n":1}': {"f:n": {}}}}, {"x": [{"n": 1}]}, {"x": []}, False),
    ],
)
def test_values_and_fields_must_both_be_ours(fields, live, desired, settled):
    assert is_settled(wanted(**desired), live_of(fields, **live)) is settled


def test_an_object_that_is_being_deleted_is_never_settled():
    live = live_of({"f:data": {"f:k": {}}}, data={"k": "1"})
    live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert not is_settled(wanted(data={"k": "1"}), live)


def test_fields_of_another_version_or_manager_are_not_ours():
    live = live_of({"f:data": {"f:k": {}}}, data={"k": "1"})
    other = json.loads(json.dumps(live).replace("gitops-wf", "kubectl"))

    assert not is_settled(wanted(data={"k": "1"}), other)
    assert not is_settled(wanted(data={"k": "1"}) | {"apiVersion": "v2"}, live)


def seen(live, version, uid="u1"):
    metadata = {**live["metadata"], "uid": uid, "resourceVersion": version}
    return {**live, "metadata": metadata}


def test_what_was_settled_is_asked_again_when_either_side_changed():
    memory = Memory()
    live = live_of({"f:data": {"f:k": {}}}, data={"k": "1"})
    changed = {**live, "data": {"k": "2"}}

    assert is_known_settled(wanted(data={"k": "1"}), seen(live, "7"), memory)
    # The version says that it is the same object: its values are not read again.
    assert is_known_settled(wanted(data={"k": "1"}), seen(changed, "7"), memory)
    assert not is_known_settled(wanted(data={"k": "1"}), seen(changed, "8"), memory)
    assert not is_known_settled(wanted(data={"k": "3"}), seen(live, "7"), memory)
    assert not is_known_settled(
        wanted(data={"k": "1"}), seen(changed, "7", uid="u2"), memory
    )


def test_what_was_not_settled_is_not_remembered():
    memory = Memory()
    live = live_of({"f:data": {"f:k": {}}}, data={"k": "1"})

    assert not is_known_settled(wanted(data={"k": "2"}), seen(live, "7"), memory)
    assert not is_known_settled(wanted(data={"k": "2"}), seen(live, "7"), memory)


def whole(api_version, wanted, live):
    """A spec that is owned as a whole, so that its values are compared as they are."""
    head = {"apiVersion": api_version, "kind": "X"}
    entry = {
        "manager": "gitops-wf",
        "operation": "Apply",
        "apiVersion": api_version,
        "fieldsV1": {"f:spec": {}},
    }
    metadata = {"name": "a", "managedFields": [entry]}
    return is_settled(
        {**head, "metadata": {"name": "a"}, "spec": wanted},
        {**head, "metadata": metadata, "spec": live},
    )


@pytest.mark.parametrize(
    ("wanted", "live", "settled"),
    [
        ("1024Mi", "1Gi", True),
        (0.5, "500m", True),
        (2, "2", True),
        ("1e3", "1e3", True),
        ("1.5Gi", "1536Mi", True),
        ("1024Mi", "1025Mi", False),
        ("1G", "1Gi", False),
        # The same amount, but the server would write the other notation.
        ("1Gi", "1073741824", False),
        (True, "1", False),
        ("much", "more", False),
    ],
)
def test_a_quantity_may_stand_in_the_server_s_form(wanted, live, settled):
    def resources(value):
        return {"resources": {"limits": {"memory": value}}}

    assert whole("apps/v1", resources(wanted), resources(live)) is settled
    # What no server knows as a quantity is a text.
    assert not whole("apps/v1", {"env": "1024Mi"}, {"env": "1Gi"})
    # A custom resource is kept as it was sent.
    assert not whole("example.com/v1", resources("1024Mi"), resources("1Gi"))


def test_a_default_within_what_is_owned_as_a_whole_is_no_difference():
    wanted = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    live = copy.deepcopy(wanted)
    live["valueFrom"]["fieldRef"]["apiVersion"] = "v1"

    assert whole("apps/v1", wanted, live)
    assert not whole("example.com/v1", wanted, live)
    assert not whole("apps/v1", live, wanted)
    live["valueFrom"]["fieldRef"]["apiVersion"] = "v2"
    assert not whole("apps/v1", wanted, live)
