"""Every recorded apply, answered by our own server_side_apply."""

import copy
from typing import Any

import pytest

from gitops_wf.sandbox.fields.apply import server_side_apply
from gitops_wf.sandbox.fields.errors import FieldError
from gitops_wf.sandbox.fields.schema import Schemas
from tests.recorded_kubernetes import Step, steps

SCHEMAS = Schemas.bundled()
SCENARIOS = [f"{n:02}" for n in (9, *range(12, 25))]

# What storage and admission write, and so no library of fields can know.
ALLOCATED = {
    "Service": "clusterIP clusterIPs ipFamilies ipFamilyPolicy externalTrafficPolicy",
    "Pod": "serviceAccount serviceAccountName tolerations priority preemptionPolicy volumes",
    "Job": "selector",
}


def applies(*statuses: int) -> list[Step]:
    return [
        step
        for scenario in SCENARIOS
        for step in steps(scenario)
        if step.content_type == "application/apply-patch+yaml"
        and step.status in statuses
    ]


def apply(step: Step) -> dict[str, Any]:
    return server_side_apply(
        copy.deepcopy(step.live),
        step.body,
        manager=step.manager,
        force=step.query.get("force") == "true",
        schema=SCHEMAS.for_kind(step.body["apiVersion"], step.body["kind"]),
        now="<time>",
        subresource=step.subresource,
    )


def without_allocated(obj: dict[str, Any], *, status: bool) -> dict[str, Any]:
    obj = copy.deepcopy(obj)
    for name in (
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "namespace",
    ):
        obj["metadata"].pop(name, None)
    for entry in obj["metadata"].pop("managedFields", ()):
        assert entry
    if not status:
        obj.pop("status", None)
    spec = obj.get("spec", {})
    for name in ALLOCATED.get(obj["kind"], "").split():
        spec.pop(name, None)
    for port in spec.get("ports", ()):
        port.pop("nodePort", None)
    for container in spec.get("containers", ()):
        container.pop("volumeMounts", None)
    if obj["kind"] == "Job":
        obj["metadata"].pop("labels", None)
        spec["template"]["metadata"].pop("labels", None)
    if obj["kind"] == "DaemonSet":
        obj["metadata"].pop("annotations", None)
    if obj["kind"] == "PersistentVolumeClaim":
        obj["metadata"].pop("finalizers", None)
    return obj


def managed(obj: dict[str, Any]) -> list[Any]:
    entries = obj["metadata"].get("managedFields", [])
    # Controllers wrote at their own time while this was recorded.
    return [e for e in entries if e["manager"] != "kube-controller-manager"]


@pytest.mark.parametrize("step", applies(200, 201), ids=str)
def test_an_apply_gives_the_recorded_owners(step: Step) -> None:
    assert managed(apply(step)) == managed(step.answer)


# A Pod's strategy takes spec from the live object, which is the storage's part.
STORED = [step for step in applies(200, 201) if str(step) != "22-3"]


@pytest.mark.parametrize("step", STORED, ids=str)
def test_an_apply_gives_the_recorded_object(step: Step) -> None:
    status = bool(step.subresource)
    assert without_allocated(apply(step), status=status) == without_allocated(
        step.answer, status=status
    )


REFUSED = [
    step
    for step in applies(409, 500)
    # The scale subresource's write is not among the recorded objects; the other is
    # refused for its resourceVersion; which of several unknown fields are named is
    # chance on the real server.
    if str(step) not in {"14-15", "20-20", "20-30", "09-21"}
]


@pytest.mark.parametrize("step", REFUSED, ids=str)
def test_a_refused_apply_has_the_recorded_text_and_causes(step: Step) -> None:
    with pytest.raises(FieldError) as refused:
        apply(step)
    error = refused.value
    causes = [
        {"reason": c.reason, "message": c.message, "field": c.field}
        for c in error.causes
    ]
    details = step.answer.get("details", {})
    assert (error.code, error.message) == (step.status, step.answer["message"])
    assert error.reason == step.answer.get("reason", "")
    assert causes == details.get("causes", [])
