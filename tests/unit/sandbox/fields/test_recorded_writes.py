"""Every recorded create, update and patch, made by our own functions."""

import copy
from typing import Any

import pytest

from gitops_wf.sandbox.fields.decode import json_document
from gitops_wf.sandbox.fields.defaults import apply_defaults
from gitops_wf.sandbox.fields.errors import FieldError
from gitops_wf.sandbox.fields.managed import keep_times, track_update
from gitops_wf.sandbox.fields.patch import json_patch, merge_patch
from gitops_wf.sandbox.fields.schema import Schemas
from gitops_wf.sandbox.fields.stored import stored_form
from gitops_wf.sandbox.fields.strategic import strategic_merge_patch
from tests.recorded_kubernetes import Step, step, steps

SCHEMAS = Schemas.bundled()
SCENARIOS = ["06", "07", "09", *(f"{n:02}" for n in range(12, 25)), "55", "70"]
PATCHES = {
    "application/json-patch+json": json_patch,
    "application/merge-patch+json": merge_patch,
}
STRATEGIC = "application/strategic-merge-patch+json"
OWN = ("uid", "resourceVersion", "generation", "creationTimestamp", "namespace")
ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
GENERATION = "deprecated.daemonset.template.generation"


def is_write(step: Step) -> bool:
    kind = step.method in {"POST", "PUT"} or (
        step.method == "PATCH" and "apply" not in step.content_type
    )
    return kind and step.subresource != "scale" and isinstance(step.body, dict | list)


WRITES = [
    s for n in SCENARIOS for s in steps(n) if is_write(s) and s.status in {200, 201}
]


def write(step: Step) -> dict[str, Any]:
    """The object as storage gets it, with the server's own metadata put in."""
    schema = SCHEMAS.for_kind(step.answer["apiVersion"], step.answer["kind"])
    live = copy.deepcopy(step.live) if step.method != "POST" else None
    new = json_document(step.raw).value if isinstance(step.raw, str) else step.body
    if step.content_type == STRATEGIC:
        new = strategic_merge_patch(live or {}, step.body, schema)
    elif step.content_type in PATCHES:
        new = PATCHES[step.content_type](live or {}, step.body)
    obj = apply_defaults(stored_form(new, schema), schema)
    for name in OWN:
        if live and name in live["metadata"]:
            obj["metadata"][name] = live["metadata"][name]
    tracked = track_update(
        live,
        obj,
        manager=step.manager,
        schema=schema,
        now="<time>",
        subresource=step.subresource,
    )
    return keep_times(live, tracked) if live else tracked


def managed(obj: dict[str, Any]) -> list[Any]:
    entries = obj["metadata"].get("managedFields", [])
    return [e for e in entries if e["manager"] != "kube-controller-manager"]


def comparable(obj: dict[str, Any], *, spec_is_reset: bool) -> dict[str, Any]:
    obj = copy.deepcopy(obj)
    metadata = obj["metadata"]
    # The storage wipes one and counts the other.
    for name in (*OWN, "managedFields", "selfLink"):
        metadata.pop(name, None)
    metadata.get("annotations", {}).pop(GENERATION, None)
    for name in ALLOCATED:
        obj.get("spec", {}).pop(name, None)
    # Statuses are the controllers', and a new namespace's finalizer the storage's.
    rest = {
        k: v for k, v in obj.items() if k != "status" and obj["kind"] != "Namespace"
    }
    if spec_is_reset:
        rest.pop("spec", None)
    return rest | {"metadata": metadata}


@pytest.mark.parametrize("step", WRITES, ids=str)
def test_a_write_gives_the_recorded_owners(step: Step) -> None:
    assert managed(write(step)) == managed(step.answer)


@pytest.mark.parametrize("step", WRITES, ids=str)
def test_a_write_gives_the_recorded_object(step: Step) -> None:
    # The status subresource leaves spec alone, which the storage sees to.
    reset = step.subresource == "status"
    got = comparable(write(step), spec_is_reset=reset)
    assert got == comparable(step.answer, spec_is_reset=reset)


@pytest.mark.parametrize("n", [4, 5, 7, 9, 11, 12])
def test_a_json_patch_that_fails_is_refused_as_recorded(n: int) -> None:
    failing = step("07", n)
    with pytest.raises(FieldError) as refused:
        json_patch(failing.live or {}, failing.body)
    assert refused.value.code == failing.status
    assert refused.value.message == failing.answer["message"]


def test_a_strategic_patch_without_its_merge_key_is_refused_as_recorded() -> None:
    failing = step("07", 37)
    schema = SCHEMAS.for_kind("apps/v1", "Deployment")
    with pytest.raises(FieldError) as refused:
        strategic_merge_patch(failing.live or {}, failing.body, schema)
    assert refused.value.code == failing.status
    assert refused.value.message == failing.answer["message"]
