"""What a person sees of an object: no bookkeeping, no value of a Secret."""

from gitops_wf.core.inventory import LAST_APPLIED
from gitops_wf.delivery.showing import shown


def secret(**data):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": data,
    }


def test_bookkeeping_and_status_are_left_out():
    live = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "a", "uid": "u", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}],
        },
        "status": {"ready": True},
    }  # fmt: skip

    before, after = shown(live, None)

    assert before == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
    }
    assert after is None


def test_a_value_that_stays_looks_the_same_on_both_sides():
    before, after = shown(secret(k="djE="), secret(k="djE="))

    assert before == after
    assert before["data"] == {"k": "***"}


def test_a_value_that_changes_is_seen_to_without_being_shown():
    before, after = shown(secret(k="djE="), secret(k="djI="))

    assert (before["data"]["k"], after["data"]["k"]) == ("*** (before)", "*** (after)")


def test_values_that_come_and_go_are_masked():
    before, after = shown(secret(old="djE="), secret(new="djI="))

    assert (before["data"], after["data"]) == ({"old": "***"}, {"new": "***"})
    assert shown(None, secret(k="djE="))[1]["data"] == {"k": "***"}
    assert shown(secret(k="djE="), None)[0]["data"] == {"k": "***"}


def test_values_written_as_text_are_masked_too():
    written = {**secret(), "stringData": {"k": "v1"}}

    assert shown(None, written)[1]["stringData"] == {"k": "***"}


def test_what_kubectl_keeps_of_an_object_is_masked():
    annotated = {**secret(k="djE=")}
    annotated["metadata"] = {
        "name": "s",
        "annotations": {LAST_APPLIED: "djE=", "a": "b"},
    }

    before, _ = shown(annotated, None)

    assert before["metadata"]["annotations"] == {LAST_APPLIED: "***", "a": "b"}


def test_data_of_other_kinds_is_shown():
    plain = {**secret(k="v1"), "kind": "ConfigMap"}
    of_a_group = {**secret(k="v1"), "apiVersion": "example.com/v1"}

    assert shown(plain, None)[0]["data"] == {"k": "v1"}
    assert shown(of_a_group, None)[0]["data"] == {"k": "v1"}


def test_the_objects_that_are_given_stay_as_they_are():
    live = secret(k="djE=")

    shown(live, secret(k="djI="))

    assert live == secret(k="djE=")
