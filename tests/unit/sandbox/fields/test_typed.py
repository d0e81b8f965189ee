"""Objects by their type: what is refused, what is twice, how types are looked up."""

from typing import Any

import pytest

from gitops_wf.sandbox.fields.comparing import compare
from gitops_wf.sandbox.fields.conformance import violations
from gitops_wf.sandbox.fields.merging import merge
from gitops_wf.sandbox.fields.owning import remove, to_fields
from gitops_wf.sandbox.fields.schema import Schemas

SCHEMAS = Schemas.bundled()
DEPLOYMENT = SCHEMAS.for_kind("apps/v1", "Deployment")
POD = SCHEMAS.for_kind("v1", "Pod")
PARTS = {
    "type": "object",
    "properties": {
        "set": {
            "type": "array",
            "items": {"type": "string"},
            "x-kubernetes-list-type": "set",
        },
        "map": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
            },
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
        },
        "atomic": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "additionalProperties": {"type": "string"},
        },
        "free": {"type": "object", "additionalProperties": True},
        "flag": {"type": "boolean"},
        "either": {"x-kubernetes-int-or-string": True},
    },
}
CUSTOM = SCHEMAS.for_custom("a.example.com/v1", "A", PARTS, status_subresource=True)


def wrong(obj: dict[str, Any]) -> list[tuple[str, str]]:
    return list(violations(CUSTOM, obj))


@pytest.mark.parametrize(
    ("obj", "path", "text"),
    [
        ({"set": ["a", "a"]}, ".set", 'duplicate entries for key [="a"]'),
        ({"set": [{}]}, ".set", "element 0: associative list without keys has an element that's a map type"),
        ({"set": [[]]}, ".set", "element 0: not supported: associative list with lists as elements"),
        ({"set": [None]}, ".set", "element 0: associative list without keys has an element that's an explicit null"),
        ({"map": [None]}, ".map", "element 0: associative list with keys may not have a null element"),
        ({"map": ["x"]}, ".map", "element 0: associative list with keys may not have non-map elements"),
        ({"map": [{"n": 1}]}, ".map", 'element 0: associative list with keys has an element that omits all key fields ["id"] (and doesn\'t have default values for any key fields)'),
        ({"map": {"id": "a"}}, ".map", "expected list, got map[id:a]"),
        ({"atomic": [1, None]}, ".atomic", "expected map, got [1 <nil>]"),
        ({"flag": "x"}, ".flag", "expected boolean, got x"),
        ({"either": {}}, ".either", "expected any scalar, got map[]"),
        ({"map": [{"id": "a", "n": "x"}]}, '.map[id="a"].n', "expected numeric (int or float), got string"),
        ({"atomic": {"a": 1}}, ".atomic.a", "expected string, got &value.valueUnstructured{Value:1}"),
        ({"nope": 1}, ".nope", "field not declared in schema"),
    ],
)  # fmt: skip
def test_what_is_not_of_its_type_is_named_with_its_path(
    obj: dict[str, Any], path: str, text: str
) -> None:
    assert wrong(obj) == [(path, text)]


@pytest.mark.parametrize(
    "obj",
    [
        {"set": None},
        {"free": {"a": [1, {"b": None}]}},
        {"either": 1},
        {"either": "1"},
        {},
    ],
)
def test_null_and_free_values_are_of_every_type(obj: dict[str, Any]) -> None:
    assert wrong(obj) == []


def test_items_that_are_twice_are_one_field() -> None:
    twice = {"map": [{"id": "a", "n": 1}, {"id": "a", "n": 2}, {"id": "b"}]}
    assert to_fields(CUSTOM, twice) == {
        "f:map": {'k:{"id":"a"}': {}, 'k:{"id":"b"}': {".": {}, "f:id": {}}}
    }


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["a", "a"], ["a", "a"], ({}, {}, {})),
        (["a", "a"], [], ({"f:set": {'v:"a"': {}}}, {}, {})),
        (["a", "a"], ["a"], ({"f:set": {'v:"a"': {}}}, {}, {"f:set": {'v:"a"': {}}})),
        (["a"], ["a", "a"], ({"f:set": {'v:"a"': {}}}, {}, {"f:set": {'v:"a"': {}}})),
        (["b"], ["b", "a", "a"], ({}, {}, {"f:set": {'v:"a"': {}}})),
    ],
)
def test_duplicates_of_a_live_list_are_compared_as_one(
    before: list[str], after: list[str], expected: Any
) -> None:
    assert compare(CUSTOM, {"set": before}, {"set": after}) == expected


def test_a_duplicate_whose_values_changed_is_modified() -> None:
    before = {"map": [{"id": "a", "n": 1}, {"id": "a", "n": 2}]}
    after = {"map": [{"id": "a", "n": 1}, {"id": "a", "n": 3}]}
    modified = {"f:map": {'k:{"id":"a"}': {}}}
    assert compare(CUSTOM, before, after) == ({}, modified, {})


def test_an_applied_item_takes_the_place_of_its_duplicates() -> None:
    live = {"map": [{"id": "a", "n": 1}, {"id": "a", "n": 2}, {"id": "b"}]}
    merged = merge(CUSTOM, live, {"map": [{"id": "a", "n": 3}]})
    assert merged == {"map": [{"id": "a", "n": 3}, {"id": "b"}]}


@pytest.mark.parametrize(
    ("live", "applied", "merged"),
    [
        ("abc", "ca", "bca"),
        ("abc", "b", "abc"),
        ("abc", "xb", "axbc"),
        ("abc", "bx", "abcx"),
        ("", "ab", "ab"),
        ("abcd", "dxa", "bcdxa"),
    ],
)
def test_applied_items_keep_their_order_among_the_others(
    live: str, applied: str, merged: str
) -> None:
    made = merge(CUSTOM, {"set": list(live)}, {"set": list(applied)})
    assert sorted(made["set"]) == sorted(merged)
    places = [made["set"].index(item) for item in applied]
    assert places == sorted(places)
    assert "".join(made["set"]) == merged


def test_a_value_of_another_form_replaces_the_live_one() -> None:
    free = SCHEMAS.for_kind("free.example.com/v1", "Free")
    assert merge(free, {"a": {"b": 1}}, {"a": "x"}) == {"a": "x"}
    assert merge(free, {"a": "x"}, {"a": {"b": 1}}) == {"a": {"b": 1}}


def test_removing_everything_leaves_null() -> None:
    assert remove(CUSTOM, {"set": ["a"]}, {"f:set": {'v:"a"': {}}}) == {"set": None}
    assert remove(CUSTOM, {"atomic": {"a": "1"}}, {"f:atomic": {"f:a": {}}}) == {
        "atomic": None
    }


def test_a_field_may_merge_its_type_in_its_own_way() -> None:
    volume = SCHEMAS.for_kind("v1", "PersistentVolume")
    claim = {"spec": {"claimRef": {"name": "a"}}}
    reference = SCHEMAS.for_kind("v1", "Event")
    assert to_fields(volume, claim) == {"f:spec": {"f:claimRef": {"f:name": {}}}}
    assert to_fields(reference, {"involvedObject": {"name": "a"}}) == {
        "f:involvedObject": {}
    }


def test_types_may_be_recursive() -> None:
    crd = SCHEMAS.for_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    inner: Any = {"type": "string"}
    for _ in range(20):
        inner = {"type": "object", "properties": {"a": inner}}
    version = {"name": "v1", "schema": {"openAPIV3Schema": inner}}
    assert list(violations(crd, {"spec": {"versions": [version]}})) == []


def test_a_kind_that_is_not_built_in_is_unknown() -> None:
    assert SCHEMAS.built_in("apps/v1", "Nope") is None
    assert SCHEMAS.built_in("apps/v1", "Deployment") is DEPLOYMENT


def test_a_list_key_has_its_default() -> None:
    pod = {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}}
    ports = to_fields(POD, pod)["f:spec"]["f:containers"]['k:{"name":"a"}']["f:ports"]
    assert list(ports) == ['k:{"containerPort":80,"protocol":"TCP"}']
