"""What others did to our objects is seen, and undone where no rule lets it be.

On the sandbox, and on a real API server where one is at hand: field ownership decides
what an apply takes back, and what it would delete.
"""

import json
import os
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.steps.deploy2env import STEP_TYPE as DEPLOY
from tests import sandbox_process
from tests.delivering import World


@pytest.fixture(scope="module", params=["sandbox", "real API server"])
def kubeconfig(request, tmp_path_factory):
    if request.param == "sandbox":
        with sandbox_process.running(tmp_path_factory.mktemp("sandbox")) as sandbox:
            yield sandbox.kubeconfig
        return
    path = os.environ.get("KUBECONFIG")
    if not path:
        pytest.skip("no API server: set KUBECONFIG to run the suite on one")
    yield Path(path)


REPLICAS = IgnoreRule(paths=("/spec/replicas",))


class Kept:
    """One Deployment as it was released, others that meddle with it, and us."""

    def __init__(self, kubeconfig):
        self.world = World(
            kubeconfig=kubeconfig, namespace=f"gw-{uuid.uuid4().hex[:8]}"
        )
        self.cluster = self.world.cluster
        self.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.world.namespace},
            }
        )

    def release(self, replicas=2, **container):
        item = {"name": "web", "image": "nginx:1", **container}
        self.world.write(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web"},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": {"app": "web"}},
                    "template": {
                        "metadata": {"labels": {"app": "web"}},
                        "spec": {"containers": [item]},
                    },
                },
            }
        )
        self.world.attempt(DEPLOY, wait=False)

    @property
    def live(self):
        return self.world.get("apps/v1", "Deployment", "web")

    @property
    def container(self):
        return self.live["spec"]["template"]["spec"]["containers"][0]

    def patch(self, patch, *, manager="kubectl-edit", subresource=""):
        """Change it as others do: a merge patch, with no apply of their own."""
        answer = self.cluster._transport.request(
            "PATCH",
            f"/apis/apps/v1/namespaces/{self.world.namespace}/deployments/web"
            + subresource,
            query={"fieldManager": manager},
            body=patch,
            content_type="application/merge-patch+json",
        )
        assert answer.status == 200, answer.body

    def look(self, *rules):
        context = self.world.context(DEPLOY, {"wait": False})
        found = self.world.runner(DEPLOY).compare(context, rules, max_age=timedelta())
        self.drifted = found.drifted
        return [
            [field.path for field in each.fields] or str(each.kind)
            for each in found.drifted
        ]

    def heal(self, *rules):
        refs = [each.ref for each in self.drifted]
        context = self.world.context(DEPLOY, {"wait": False})
        return str(self.world.runner(DEPLOY).heal(context, rules, refs))


@pytest.fixture
def kept(kubeconfig):
    made = Kept(kubeconfig)
    yield made
    name = made.world.namespace
    made.cluster.delete(
        ObjectRef(group="", kind="Namespace", namespace="", name=name), "v1"
    )


IMAGE = "/spec/template/spec/containers/0/image"


def edited(image):
    item = {"name": "web", "image": image}
    return {"spec": {"template": {"spec": {"containers": [item]}}}}


def test_an_edited_field_is_named_with_who_edited_it_and_put_back(kept):
    kept.release()
    assert kept.look() == []

    kept.patch(edited("nginx:2"))

    assert kept.look() == [[IMAGE]]
    (drifted,) = kept.drifted
    assert drifted.managers == ("kubectl-edit",)
    assert str(drifted.fields[0]) == f'{IMAGE} is "nginx:2", Git says "nginx:1"'
    assert kept.heal() == "1 configured"
    assert kept.container["image"] == "nginx:1"
    assert kept.look() == []


def test_a_field_that_somebody_removed_is_put_back(kept):
    kept.release(env=[{"name": "A", "value": "1"}])

    kept.patch(edited("nginx:1"))

    assert kept.look() == [["/spec/template/spec/containers/0/env"]]
    kept.heal()
    assert kept.container["env"] == [{"name": "A", "value": "1"}]


def test_what_others_add_is_theirs_and_no_drift(kept):
    kept.release()
    kept.patch({"metadata": {"annotations": {"example.com/note": "mine"}}})
    kept.patch({"spec": {"minReadySeconds": 1}})

    assert kept.look() == []


def test_an_object_that_is_gone_is_made_anew(kept):
    kept.release()
    kept.cluster.delete(ObjectRef.of(kept.live), "v1")

    assert kept.look() == ["missing"]
    assert kept.heal() == "1 created"
    assert kept.look() == []


def test_an_object_without_our_label_is_found_and_gets_it_back(kept):
    kept.release()
    label = "gitops-wf.io/environment"
    kept.patch({"metadata": {"labels": {label: None}}})

    assert kept.look() == [["/metadata/labels/gitops-wf.io~1environment"]] or (
        kept.look() == [["/metadata/labels"]]
    )
    kept.heal()
    assert kept.live["metadata"]["labels"][label] == "shop.prod"


def test_values_that_the_server_writes_in_another_form_are_no_drift(kept):
    kept.release(resources={"limits": {"cpu": "1000m", "memory": "1024Mi"}})

    assert kept.look() == []


def test_a_scaled_deployment_is_left_as_it_is_scaled_while_the_rest_is_healed(kept):
    kept.release()
    kept.patch({"spec": {"replicas": 7}}, manager="hpa", subresource="/scale")
    assert kept.look(REPLICAS) == []

    kept.patch(edited("nginx:2"))
    assert kept.look(REPLICAS) == [[IMAGE]]
    kept.heal(REPLICAS)

    assert kept.live["spec"]["replicas"] == 7
    assert kept.container["image"] == "nginx:1"
    assert kept.look(REPLICAS) == []
    kept.patch({"spec": {"replicas": 8}}, manager="hpa", subresource="/scale")
    assert kept.live["spec"]["replicas"] == 8
    assert kept.look(REPLICAS) == []


def test_an_ignored_field_that_is_still_ours_is_not_deleted_by_a_heal(kept):
    kept.release(replicas=3)
    kept.patch(edited("nginx:2"))
    kept.look(REPLICAS)

    kept.heal(REPLICAS)

    assert kept.live["spec"]["replicas"] == 3
    ours = [
        entry["fieldsV1"]
        for entry in kept.live["metadata"]["managedFields"]
        if entry["manager"] == "gitops-wf"
    ]
    assert "f:replicas" in json.dumps(ours)


def test_what_an_ignored_manager_owns_is_left_to_it(kept):
    rule = IgnoreRule(managers=("hpa",))
    kept.release()
    kept.patch({"spec": {"replicas": 7}}, manager="hpa", subresource="/scale")
    kept.patch(edited("nginx:2"))

    assert kept.look(rule) == [[IMAGE]]
    kept.heal(rule)

    assert kept.live["spec"]["replicas"] == 7
    assert kept.container["image"] == "nginx:1"


def test_without_a_rule_the_scale_is_drift_and_taken_back(kept):
    kept.release()
    kept.patch({"spec": {"replicas": 7}}, manager="hpa", subresource="/scale")

    assert kept.look() == [["/spec/replicas"]]
    assert kept.drifted[0].managers == ("hpa",)
    kept.heal()

    assert kept.live["spec"]["replicas"] == 2
