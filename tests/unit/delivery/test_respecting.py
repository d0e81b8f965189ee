"""Ignored fields are applied as they are live where they are ours, else left out."""

import pytest

from gitops_wf.core.upkeep.ignoring import Ignored, parse_pointer
from gitops_wf.delivery.respecting import respecting

LABEL = "gitops-wf.io/environment"


def entry(fields, manager="gitops-wf", operation="Apply"):
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "apps/v1",
        "fieldsV1": fields,
    }


def deployment(replicas=3, image="web:1", **spec):
    containers = [{"name": "web", "image": image}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {LABEL: "prod"}},
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": containers}},
            **spec,
        },
    }


CONTAINERS = {'k:{"name":"web"}': {".": {}, "f:name": {}, "f:image": {}}}
TEMPLATE = {"f:template": {"f:spec": {"f:containers": CONTAINERS}}}
NAMES = {"f:metadata": {"f:labels": {f"f:{LABEL}": {}}}}
OURS = {**NAMES, "f:spec": {"f:replicas": {}, **TEMPLATE}}


def live(*entries, **more):
    found = deployment(**more)
    found["metadata"]["managedFields"] = list(entries)
    return found


def ignoring(*paths, managers=()):
    return Ignored(paths=tuple(map(parse_pointer, paths)), managers=managers)


def test_without_rules_all_is_applied():
    assert respecting(deployment(), live(entry(OURS)), Ignored()) == deployment()


def test_an_ignored_field_that_is_ours_is_sent_as_it_is_live():
    found = live(entry(OURS), replicas=5)

    wanted = respecting(deployment(), found, ignoring("/spec/replicas"))

    assert wanted == deployment(replicas=5)


def test_an_ignored_field_that_another_has_taken_is_left_out():
    scaled = live(
        entry({**NAMES, "f:spec": TEMPLATE}),
        entry({"f:spec": {"f:replicas": {}}}, "hpa", "Update"),
        replicas=7,
    )

    wanted = respecting(deployment(), scaled, ignoring("/spec/replicas"))

    assert "replicas" not in wanted["spec"]
    assert wanted["spec"]["template"] == deployment()["spec"]["template"]


def test_what_an_ignored_manager_owns_is_left_out_and_nothing_else():
    scaled = live(
        entry({**NAMES, "f:spec": TEMPLATE}),
        entry({"f:spec": {"f:replicas": {}}}, "kube-controller-manager", "Update"),
        entry({"f:spec": {"f:paused": {}}}, "bob", "Update"),
        replicas=7,
        paused=True,
    )
    desired = deployment(paused=False)

    wanted = respecting(desired, scaled, ignoring(managers=("kube-*",)))

    assert "replicas" not in wanted["spec"]
    assert wanted["spec"]["paused"] is False


def test_a_field_of_a_listed_item_is_found_by_its_key_wherever_it_stands():
    found = live(entry(OURS), image="web:2")
    containers = found["spec"]["template"]["spec"]["containers"]
    containers.insert(0, {"name": "sidecar", "image": "proxy:1"})

    wanted = respecting(
        deployment(), found, ignoring("/spec/template/spec/containers/0/image")
    )

    assert wanted == deployment(image="web:2")


def test_a_manager_that_owns_a_field_of_a_listed_item_keeps_it():
    theirs = {'k:{"name":"web"}': {"f:image": {}}}
    kept = {'k:{"name":"web"}': {".": {}, "f:name": {}}}

    def spec(containers):
        return {"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}}

    found = live(
        entry({**NAMES, **spec(kept)}),
        entry(spec(theirs), "image-updater", "Update"),
        image="web:9",
    )

    wanted = respecting(deployment(), found, ignoring(managers=("image-updater",)))

    assert wanted["spec"]["template"]["spec"]["containers"] == [{"name": "web"}]


def test_of_an_ignored_part_only_what_is_ours_is_sent():
    found = live(entry(OURS), image="web:2")
    item = found["spec"]["template"]["spec"]["containers"][0]
    item["imagePullPolicy"] = "Always"

    wanted = respecting(deployment(), found, ignoring("/spec/template"))

    assert wanted == deployment(image="web:2")


def test_a_list_that_is_owned_at_once_takes_the_live_value_of_its_item():
    fields = {**NAMES, "f:spec": {"f:replicas": {}, "f:args": {}, **TEMPLATE}}
    found = live(entry(fields), args=["a", "changed"])

    wanted = respecting(deployment(args=["a", "b"]), found, ignoring("/spec/args/1"))

    assert wanted["spec"]["args"] == ["a", "changed"]


def test_where_nobody_keeps_track_the_live_value_counts():
    wanted = respecting(deployment(), live(replicas=5), ignoring("/spec/replicas"))

    assert wanted == deployment(replicas=5)


@pytest.mark.parametrize(
    "path", ["/metadata/labels", "/metadata/labels/" + LABEL.replace("/", "~1")]
)
def test_our_own_label_is_always_sent(path):
    found = live(entry({"f:spec": OURS["f:spec"]}))
    found["metadata"]["labels"] = {}

    wanted = respecting(deployment(), found, ignoring(path))

    assert wanted["metadata"]["labels"] == {LABEL: "prod"}
