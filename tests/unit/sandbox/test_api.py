from __future__ import annotations

import pytest

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.statuses import ApiError
from gitops_wf.sandbox.storage import Storage


@pytest.fixture
def api() -> ObjectApi:
    api = ObjectApi(Storage(":memory:"))
    api.create(
        api.resources.named("namespaces"), {"metadata": {"name": "a"}}, manager="t"
    )
    return api


def a_config(name: str, **more) -> dict:
    return {"metadata": {"name": name, "namespace": "a", **more}, "data": {"k": "v"}}


def test_an_object_can_only_be_made_in_a_namespace_that_exists(api):
    configs = api.resources.named("configmaps")

    with pytest.raises(ApiError, match='namespaces "nowhere" not found'):
        api.create(
            configs,
            {"metadata": {"name": "x", "namespace": "nowhere"}},
            manager="t",
        )


def test_a_stale_update_is_refused_and_an_equal_one_is_not_a_write(api):
    configs = api.resources.named("configmaps")
    first = api.create(configs, a_config("x"), manager="t")
    same = api.update(configs, first, manager="t")
    second = api.update(configs, {**first, "data": {"k": "w"}}, manager="t")

    assert same["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert second["data"] == {"k": "w"}
    with pytest.raises(ApiError, match="the object has been modified"):
        api.update(configs, {**first, "data": {"k": "u"}}, manager="t")


def test_a_finalizer_holds_an_object_until_it_is_taken_off(api):
    configs = api.resources.named("configmaps")
    api.create(configs, a_config("x", finalizers=["example.com/hold"]), manager="t")

    marked = api.delete(configs, "a", "x")
    del marked["metadata"]["finalizers"]
    api.update(configs, marked, manager="t")

    assert marked["metadata"]["deletionTimestamp"]
    with pytest.raises(ApiError, match='configmaps "x" not found'):
        api.get(configs, "a", "x")


def test_subscribers_see_every_write_in_order_with_what_was_before(api):
    configs = api.resources.named("configmaps")
    seen: list = []
    stop = api.subscribe(
        lambda kind, resource, new, old: seen.append(
            (kind, resource.kind, new["data"], old and old["data"])
        )
    )

    made = api.create(configs, a_config("x"), manager="t")
    api.update(configs, {**made, "data": {"k": "w"}}, manager="t")
    api.delete(configs, "a", "x")
    stop()
    api.create(configs, a_config("y"), manager="t")

    assert seen == [
        ("ADDED", "ConfigMap", {"k": "v"}, None),
        ("MODIFIED", "ConfigMap", {"k": "w"}, {"k": "v"}),
        ("DELETED", "ConfigMap", {"k": "w"}, {"k": "w"}),
    ]


def test_a_copy_handed_out_does_not_change_what_is_stored(api):
    configs = api.resources.named("configmaps")
    api.create(configs, a_config("x"), manager="t")["data"]["k"] = "changed"
    api.get(configs, "a", "x")["data"]["k"] = "changed"
    api.list(configs)[0]["data"]["k"] = "changed"

    assert api.get(configs, "a", "x")["data"] == {"k": "v"}


def test_status_is_written_only_by_its_subresource_and_counts_no_generation(api):
    pods = api.resources.named("pods")
    spec = {"containers": [{"name": "a", "image": "b"}]}
    account = {"metadata": {"name": "default", "namespace": "a"}}
    api.create(api.resources.named("serviceaccounts"), account, manager="t")
    pod = api.create(
        pods, {"metadata": {"name": "p", "namespace": "a"}, "spec": spec}, manager="t"
    )
    pod["status"] = {"phase": "Running"}

    untouched = api.update(pods, pod, manager="t")
    running = api.update(pods, pod, manager="t", subresource="status")

    assert untouched["status"]["phase"] == "Pending"
    assert running["status"]["phase"] == "Running"
    assert running["metadata"]["generation"] == 1
