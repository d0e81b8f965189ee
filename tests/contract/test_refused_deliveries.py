"""What a server refuses of a delivery, and what is told: on the sandbox, and a real one.

Health is not awaited: a real API server without controllers brings nothing to life.
"""

import contextlib
import os
import threading
import uuid
from pathlib import Path

import pytest

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.inventory import ObjectRef
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


@pytest.fixture
def world(kubeconfig):
    made = World(kubeconfig=kubeconfig, namespace=f"gw-{uuid.uuid4().hex[:8]}")
    made.cluster.create(namespace(made.namespace))
    return made


def namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def config_map(name, namespace=None, **data):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def template(image="busybox:1", app="a", **spec):
    containers = [{"name": "a", "image": image}]
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": containers, **spec},
    }


def service(**spec):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"ports": [{"port": 80}], **spec},
    }


def job(image):
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "a"},
        "spec": {"template": template(image, restartPolicy="Never")},
    }


def deployment(app):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {
            "selector": {"matchLabels": {"app": app}},
            "template": template(app=app),
        },
    }


def deploy(world, **properties):
    return world.attempt(DEPLOY, wait=False, **properties)


IMMUTABLE = pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        (service(), service(clusterIP="None"), "spec.clusterIP"),
        (job("busybox:1"), job("busybox:2"), "spec.template"),
        (deployment("a"), deployment("b"), "spec.selector"),
    ],
    ids=["Service", "Job", "Deployment"],
)


@IMMUTABLE
def test_a_field_that_cannot_change_is_told_with_the_mend(world, before, after, field):
    world.write(before)
    deploy(world)
    world.write(after)

    with pytest.raises(TerminalError) as caught:
        deploy(world)

    told = str(caught.value)
    assert caught.value.reason == "Immutable"
    assert told.startswith(
        f"{before['kind']}/{world.namespace}/a: apply: invalid (422)"
    )
    assert field in told
    assert "annotate it with gitops-wf.io/force: enabled to delete and recreate" in told


@IMMUTABLE
@pytest.mark.parametrize(
    "mark",
    [
        {"gitops-wf.io/force": "enabled"},
        {"argocd.argoproj.io/sync-options": "Force=true,Replace=true"},
    ],
    ids=["ours", "Argo CD's"],
)
def test_what_says_so_is_deleted_and_made_anew(world, before, after, field, mark):
    world.write(before)
    deploy(world)
    old = world.get(before["apiVersion"], before["kind"], "a")["metadata"]["uid"]
    metadata = {"name": "a", "annotations": mark}
    world.write({**after, "metadata": metadata})

    result = deploy(world)

    assert result.message == "1 created; health not awaited"
    live = world.get(before["apiVersion"], before["kind"], "a")
    assert live["metadata"]["uid"] != old
    [told] = result.objects
    assert (told.change, told.message) == ("created", "recreated")


def test_a_namespace_and_what_is_in_it_may_come_in_one_commit(world):
    other = f"{world.namespace}-other"
    world.write(config_map("a", other, k="1"), namespace(other))

    result = deploy(world)

    assert result.message == "2 created; health not awaited"
    assert world.get("v1", "ConfigMap", "a", other)["data"] == {"k": "1"}


def test_a_kind_and_its_object_may_come_in_one_commit(world):
    group = f"{world.namespace}.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
            "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
        },
    }
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "a"}}
    world.write({**widget, "size": 3}, definition)

    for _ in range(20):
        # A real server's storage of a new kind takes a moment: it says when to ask again.
        with contextlib.suppress(TransientError):
            result = deploy(world)
            break
        threading.Event().wait(0.25)

    assert result.message.endswith("health not awaited")
    assert world.get(f"{group}/v1", "Widget", "a")["size"] == 3


class Meddled(KubeCluster):
    """A cluster where somebody deletes an object just after it was listed."""

    victim: ObjectRef

    def list(self, resource, namespace="", label_selector=""):
        found = super().list(resource, namespace, label_selector)
        if any(ObjectRef.of(each) == self.victim for each in found):
            assert self.delete(self.victim, "v1")
        return found


def test_an_object_that_is_deleted_by_hand_during_the_apply_is_made_anew(world):
    world.write(config_map("a", k="1"))
    deploy(world)
    old = world.get("v1", "ConfigMap", "a")
    world.write(config_map("a", k="2"))
    meddled = Meddled(kubeconfig_access(world.kubeconfig))
    meddled.victim = ObjectRef.of(old)
    world.clusters.one = meddled

    result = deploy(world)

    assert result.message == "1 created; health not awaited"
    live = world.get("v1", "ConfigMap", "a")
    assert live["data"] == {"k": "2"}
    assert live["metadata"]["uid"] != old["metadata"]["uid"]


def test_what_is_too_large_for_a_server_is_told_and_stops_no_other(world):
    world.write(config_map("big", k="x" * 3_000_000), config_map("small", k="1"))

    with pytest.raises(TerminalError) as caught:
        deploy(world)

    told = str(caught.value)
    assert told.startswith(f"ConfigMap/{world.namespace}/big: apply: ")
    assert "(applied before: 1 created)" in told
    assert len(told) < 600
    assert world.get("v1", "ConfigMap", "small")["data"] == {"k": "1"}
