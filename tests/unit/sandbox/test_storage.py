from __future__ import annotations

import pytest

from gitops_wf.sandbox.storage import Compacted, Storage


def a_config(name: str, namespace: str = "a", **data: str) -> dict:
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def test_a_reopened_file_has_the_objects_the_revision_and_the_log(tmp_path):
    path = tmp_path / "cluster.db"
    before = Storage(path)
    first = before.put("configmaps", a_config("one"))
    before.put("configmaps", a_config("two"))
    before.remove("configmaps", "a", "two")
    before.close()

    after = Storage(path)

    assert [one["metadata"]["name"] for one in after.list("configmaps")] == ["one"]
    assert after.revision == before.revision
    since = after.changes_after(int(first["metadata"]["resourceVersion"]))
    assert [(one.type, one.object["metadata"]["name"]) for one in since] == [
        ("ADDED", "two"),
        ("DELETED", "two"),
    ]


def test_an_unclosed_file_loses_nothing(tmp_path):
    path = tmp_path / "cluster.db"
    Storage(path).put("configmaps", a_config("one"))

    assert len(Storage(path).list("configmaps")) == 1


def test_lists_are_ordered_by_namespace_and_name():
    storage = Storage(":memory:")
    for namespace, name in [("b", "x"), ("a-b", "y"), ("a", "z"), ("a", "b")]:
        storage.put("configmaps", a_config(name, namespace))

    everything = [
        (one["metadata"]["namespace"], one["metadata"]["name"])
        for one in storage.list("configmaps")
    ]

    assert everything == [("a", "b"), ("a", "z"), ("a-b", "y"), ("b", "x")]
    assert len(storage.list("configmaps", "a")) == 2


def test_a_list_of_the_past_shows_what_was_there_then():
    storage = Storage(":memory:")
    storage.put("configmaps", a_config("one", k="old"))
    then = storage.revision
    storage.put("configmaps", a_config("one", k="new"))
    storage.put("configmaps", a_config("two"))

    past = storage.list_at("configmaps", "a", then)

    assert [(one["metadata"]["name"], one["data"]) for one in past] == [
        ("one", {"k": "old"})
    ]


def test_the_log_is_bounded_and_says_when_it_is_asked_for_too_old_a_past(tmp_path):
    storage = Storage(tmp_path / "cluster.db", history=10)
    start = storage.revision
    for index in range(40):
        storage.put("configmaps", a_config("one", k=str(index)))

    with pytest.raises(Compacted):
        storage.changes_after(start)
    assert 10 <= len(storage.changes_after(storage.compacted)) <= 12
    storage.close()
    assert Storage(tmp_path / "cluster.db", history=10).compacted == storage.compacted
