"""Who owns what: rules of managedFields beyond the recorded scenarios."""

from typing import Any

import pytest

from gitops_wf.sandbox.fields.apply import LAST_APPLIED, server_side_apply
from gitops_wf.sandbox.fields.errors import ApplyConflict, FieldError
from gitops_wf.sandbox.fields.managed import MAX_UPDATERS, keep_times, track_update
from gitops_wf.sandbox.fields.schema import Schemas
from gitops_wf.sandbox.fields.stored import stored_form

SCHEMAS = Schemas.bundled()
CONFIG_MAP = SCHEMAS.for_kind("v1", "ConfigMap")
DEPLOYMENT = SCHEMAS.for_kind("apps/v1", "Deployment")


def config(**data: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": data,
    }


def apply(
    live: Any, applied: Any, manager: str, *, force: bool = False, now: str = "1"
) -> Any:
    return server_side_apply(
        live, applied, manager=manager, force=force, schema=CONFIG_MAP, now=now
    )


def update(live: Any, data: dict[str, Any], manager: str, *, now: str = "1") -> Any:
    new = live | {"data": data} if live else stored_form(config(**data), CONFIG_MAP)
    return track_update(live, new, manager=manager, schema=CONFIG_MAP, now=now)


def owners(obj: Any) -> list[tuple[str, str]]:
    entries = obj["metadata"].get("managedFields", [])
    return [(entry["manager"], entry["operation"]) for entry in entries]


def fields_of(obj: Any, manager: str) -> Any:
    [entry] = [e for e in obj["metadata"]["managedFields"] if e["manager"] == manager]
    return entry["fieldsV1"]


def test_entries_are_ordered_by_operation_then_time_then_manager() -> None:
    obj = update(None, {"a": "1"}, "early", now="2026-01-01T00:00:00Z")
    obj = update(obj, {"a": "1", "b": "1"}, "late", now="2026-01-01T00:00:09Z")
    obj = apply(obj, config(c="1"), "z", now="2026-01-01T00:00:05Z")
    obj = apply(obj, config(d="1"), "y", now="2026-01-01T00:00:05Z")
    assert owners(obj) == [
        ("y", "Apply"),
        ("z", "Apply"),
        ("early", "Update"),
        ("late", "Update"),
    ]


def test_too_many_updaters_are_joined_to_ancient_changes() -> None:
    obj = update(None, {"k0": "1"}, "m0", now="2026-01-01T00:00:00Z")
    for n in range(1, MAX_UPDATERS + 2):
        data = obj["data"] | {f"k{n}": "1"}
        obj = update(obj, data, f"m{n}", now=f"2026-01-01T00:00:{n:02}Z")
    names = [name for name, _ in owners(obj)]
    assert len(names) == MAX_UPDATERS
    assert names[0] == "ancient-changes"
    assert fields_of(obj, "ancient-changes") == {
        "f:data": {".": {}, "f:k0": {}, "f:k1": {}, "f:k2": {}}
    }


def test_an_object_that_was_not_tracked_stays_untracked_by_updates() -> None:
    bare = stored_form({"metadata": {"name": "a", "uid": "1"}}, CONFIG_MAP)
    assert owners(update(bare, {"k": "1"}, "editor")) == []


def test_what_was_there_before_the_first_apply_has_a_made_up_owner() -> None:
    bare = stored_form(
        config(k="1") | {"metadata": {"name": "a", "uid": "1"}}, CONFIG_MAP
    )
    obj = apply(bare, config(l="1"), "one")
    assert owners(obj) == [("one", "Apply"), ("before-first-apply", "Update")]


def test_managed_fields_that_a_request_brings_are_taken() -> None:
    obj = apply(None, config(k="1"), "one")
    [entry] = obj["metadata"]["managedFields"]
    renamed = obj | {
        "metadata": obj["metadata"] | {"managedFields": [entry | {"manager": "other"}]}
    }
    made = track_update(obj, renamed, manager="editor", schema=CONFIG_MAP, now="2")
    assert owners(made) == [("other", "Apply")]


@pytest.mark.parametrize(
    "entry",
    [
        {"operation": "Nope", "apiVersion": "v1", "fieldsType": "FieldsV1"},
        {"operation": "Apply", "fieldsType": "FieldsV1"},
        {"operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV2"},
    ],
)
def test_managed_fields_that_cannot_be_read_are_ignored(entry: Any) -> None:
    obj = apply(None, config(k="1"), "one")
    broken = obj | {"metadata": obj["metadata"] | {"managedFields": [entry]}}
    made = track_update(obj, broken, manager="editor", schema=CONFIG_MAP, now="2")
    assert owners(made) == [("one", "Apply")]
    with pytest.raises(FieldError, match="failed to decode managed fields"):
        apply(broken, config(k="1"), "one")


def test_a_removal_alone_does_not_renew_the_time() -> None:
    obj = update(None, {"a": "1", "b": "1"}, "editor", now="1")
    obj = update(obj, {"a": "1"}, "editor", now="2")
    [entry] = obj["metadata"]["managedFields"]
    assert entry["time"] == "1"
    assert entry["fieldsV1"] == {"f:data": {".": {}, "f:a": {}}}


def test_times_are_kept_where_nothing_else_changed() -> None:
    live = apply(None, config(k="1"), "one", now="1")
    later = apply(live, config(k="1"), "one", now="1")
    [entry] = later["metadata"]["managedFields"]
    renewed = later | {
        "metadata": later["metadata"] | {"managedFields": [entry | {"time": "2"}]}
    }
    assert keep_times(live, renewed) == live
    changed = renewed | {"data": {"k": "2"}}
    assert keep_times(live, changed) == changed


def test_a_boolean_is_not_a_number_when_times_are_kept() -> None:
    live = apply(None, config(k="1"), "one") | {"immutable": False}
    assert keep_times(live, live | {"immutable": 0})["immutable"] is not False


def test_conflicts_with_several_managers_are_grouped_by_manager() -> None:
    obj = apply(apply(None, config(a="1", b="1"), "one"), config(c="1"), "two")
    with pytest.raises(ApplyConflict) as refused:
        apply(obj, config(a="2", b="2", c="2"), "three")
    assert refused.value.message == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\n'
        'conflicts with "two":\n- .data.c'
    )


def test_a_refused_apply_leaves_the_live_object_as_it_was() -> None:
    obj = apply(None, config(a="1"), "one")
    before = repr(obj)
    with pytest.raises(ApplyConflict):
        apply(obj, config(a="2"), "two")
    apply(obj, config(a="2"), "two", force=True)
    assert repr(obj) == before


def client_side(**data: Any) -> Any:
    text = '{"apiVersion":"v1","data":{"k":"1"},"kind":"ConfigMap","metadata":{"name":"a"}}'
    body = config(**data)
    body["metadata"] = {"name": "a", "annotations": {LAST_APPLIED: text}}
    new = stored_form(body, CONFIG_MAP)
    return track_update(
        None, new, manager="kubectl-client-side-apply", schema=CONFIG_MAP, now="1"
    )


def test_kubectl_takes_what_client_side_apply_set() -> None:
    obj = apply(client_side(k="1"), config(k="2"), "kubectl")
    assert obj["data"] == {"k": "2"}
    assert '"k":"2"' in obj["metadata"]["annotations"][LAST_APPLIED]


def test_kubectl_conflicts_where_the_value_was_changed_since() -> None:
    live = update(client_side(k="1"), {"k": "5"}, "editor")
    with pytest.raises(ApplyConflict, match='conflict with "editor" using v1'):
        apply(live, config(k="2"), "kubectl")


def test_the_status_of_a_main_resource_is_nobodys() -> None:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    obj = server_side_apply(
        None,
        body | {"spec": {"paused": True}, "status": {"replicas": 3}},
        manager="one",
        force=False,
        schema=DEPLOYMENT,
        now="1",
    )
    assert fields_of(obj, "one") == {"f:spec": {"f:paused": {}}}


def test_a_controller_owns_the_status_that_it_writes() -> None:
    body = {"metadata": {"name": "a"}, "spec": {"paused": True}}
    live = track_update(
        None, stored_form(body, DEPLOYMENT), manager="one", schema=DEPLOYMENT, now="1"
    )
    new = live | {"status": {"replicas": 1}, "spec": live["spec"] | {"paused": False}}
    made = track_update(
        live, new, manager="kcm", schema=DEPLOYMENT, now="2", subresource="status"
    )
    assert fields_of(made, "kcm") == {"f:status": {"f:replicas": {}}}
    entry = made["metadata"]["managedFields"][-1]
    assert (entry["manager"], entry["subresource"]) == ("kcm", "status")
