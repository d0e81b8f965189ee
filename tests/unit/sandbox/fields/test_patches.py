"""Patches beyond what was recorded: pointers, indexes, nulls and directives."""

from typing import Any

import pytest

from gitops_wf.sandbox.fields.errors import FieldError
from gitops_wf.sandbox.fields.patch import json_patch, merge_patch
from gitops_wf.sandbox.fields.schema import Schemas
from gitops_wf.sandbox.fields.strategic import strategic_merge_patch

DEPLOYMENT = Schemas.bundled().for_kind("apps/v1", "Deployment")
LIST = {"l": ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ({"op": "add", "path": "/l/1", "value": "x"}, ["a", "x", "b", "c"]),
        ({"op": "add", "path": "/l/-", "value": "x"}, ["a", "b", "c", "x"]),
        ({"op": "add", "path": "/l/3", "value": "x"}, ["a", "b", "c", "x"]),
        ({"op": "add", "path": "/l/-1", "value": "x"}, ["a", "b", "c", "x"]),
        ({"op": "replace", "path": "/l/0", "value": "x"}, ["x", "b", "c"]),
        ({"op": "replace", "path": "/l/-1", "value": "x"}, ["a", "b", "x"]),
        ({"op": "remove", "path": "/l/1"}, ["a", "c"]),
        ({"op": "move", "from": "/l/0", "path": "/l/2"}, ["b", "c", "a"]),
        ({"op": "copy", "from": "/l/0", "path": "/l/-"}, ["a", "b", "c", "a"]),
        ({"op": "test", "path": "/l", "value": ["a", "b", "c"]}, ["a", "b", "c"]),
    ],
)
def test_a_json_patch_changes_items_of_a_list(op: Any, expected: list[str]) -> None:
    assert json_patch(LIST, [op]) == {"l": expected}
    assert LIST == {"l": ["a", "b", "c"]}


@pytest.mark.parametrize(
    "op",
    [
        {"op": "add", "path": "/l/4", "value": "x"},
        {"op": "remove", "path": "/l/3"},
        {"op": "replace", "path": "/l/x", "value": "x"},
        {"op": "test", "path": "/l/0", "value": "b"},
        {"op": "test", "path": "/none/0", "value": None},
        {"op": "test", "path": "/l/0", "value": 1},
        {"op": "move", "from": "/none", "path": "/l/0"},
        {"op": "add", "path": "l", "value": 1},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "", "value": []},
        {"path": "/l"},
        "no operation",
    ],
)
def test_a_json_patch_that_cannot_be_done_is_refused_as_a_whole(op: Any) -> None:
    with pytest.raises(FieldError) as refused:
        json_patch(LIST, [op])
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")


def test_a_pointer_escapes_slash_and_tilde() -> None:
    patched = json_patch(
        {"a/b": {"~c": 1}}, [{"op": "replace", "path": "/a~1b/~0c", "value": 2}]
    )
    assert patched == {"a/b": {"~c": 2}}


def test_testing_for_null_passes_where_nothing_is() -> None:
    assert json_patch({"a": 1}, [{"op": "test", "path": "/b", "value": None}]) == {
        "a": 1
    }


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"a": None}, {"b": {"c": 1}}),
        ({"b": {"c": None}}, {"a": 1, "b": {}}),
        ({"b": [1, None]}, {"a": 1, "b": [1, None]}),
        ({"n": {"x": None, "y": 1}}, {"a": 1, "b": {"c": 1}, "n": {"y": 1}}),
        ({"b": 2}, {"a": 1, "b": 2}),
    ],
)
def test_a_merge_patch_replaces_all_but_objects(patch: Any, expected: Any) -> None:
    assert merge_patch({"a": 1, "b": {"c": 1}}, patch) == expected


@pytest.mark.parametrize(
    ("patch", "kind"), [([], "array"), ("x", "string"), (1, "number")]
)
def test_a_merge_patch_has_to_be_an_object(patch: Any, kind: str) -> None:
    with pytest.raises(FieldError, match=f"cannot unmarshal {kind} into") as refused:
        merge_patch({}, patch)
    assert refused.value.code == 400


def strategic(live: Any, patch: Any) -> Any:
    """Both are of `spec.template.spec` of a Deployment."""
    wrapped = {"spec": {"template": {"spec": live}}}
    result = strategic_merge_patch(
        wrapped, {"spec": {"template": {"spec": patch}}}, DEPLOYMENT
    )
    return result["spec"]["template"]["spec"]


TWO = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}


def names(spec: Any) -> list[str]:
    return [container["name"] for container in spec["containers"]]


def test_an_element_order_puts_a_list_into_it() -> None:
    order = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    assert names(strategic(TWO, order)) == ["b", "a"]


def test_an_element_order_leaves_items_of_the_server_where_they_were() -> None:
    live = {"containers": [{"name": n} for n in "abc"]}
    patch = {
        "$setElementOrder/containers": [{"name": "c"}, {"name": "x"}],
        "containers": [{"name": "x"}],
    }
    assert names(strategic(live, patch)) == ["a", "b", "c", "x"]


def test_a_map_can_be_replaced_or_deleted() -> None:
    live = {"nodeSelector": {"a": "1"}, "securityContext": {"runAsUser": 1}}
    patch = {
        "nodeSelector": {"$patch": "replace", "b": "2"},
        "securityContext": {"$patch": "delete"},
    }
    assert strategic(live, patch) == {"nodeSelector": {"b": "2"}, "securityContext": {}}


def test_retained_keys_are_all_that_stays() -> None:
    live = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    patched = strategic_merge_patch({"spec": live}, {"spec": patch}, DEPLOYMENT)
    assert patched["spec"]["strategy"] == {"type": "Recreate"}


def test_a_value_that_is_not_to_be_retained_is_refused() -> None:
    with pytest.raises(FieldError, match="not present in retainKeys list"):
        strategic(TWO, {"$retainKeys": ["volumes"], "containers": []})


def test_items_leave_a_list_of_values_by_directive() -> None:
    live = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_merge_patch(live, patch, DEPLOYMENT) == {
        "metadata": {"finalizers": ["b"]}
    }


def test_values_of_a_merged_list_are_there_once() -> None:
    live = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"finalizers": ["b", "c"]}}
    merged = strategic_merge_patch(live, patch, DEPLOYMENT)
    assert merged["metadata"]["finalizers"] == ["a", "b", "c"]


def test_a_list_without_a_merge_strategy_is_replaced() -> None:
    live = {"containers": [{"name": "a", "args": ["1", "2"]}]}
    patch = {"containers": [{"name": "a", "args": ["3"]}]}
    assert strategic(live, patch)["containers"] == [{"name": "a", "args": ["3"]}]


def test_a_new_object_comes_without_its_nulls_and_directives() -> None:
    assert strategic(
        {}, {"securityContext": {"runAsUser": None, "$patch": "merge"}}
    ) == {"securityContext": {}}


def test_an_unknown_directive_is_refused() -> None:
    with pytest.raises(FieldError, match="unknown patch type: twist"):
        strategic(TWO, {"$patch": "twist"})
