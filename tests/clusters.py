"""Fixtures of the suites that run on the sandbox, and on a real API server too."""

import json
import os
import threading
import time
import uuid
from pathlib import Path

import pytest
import yaml

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.core.inventory import ObjectRef
from tests import sandbox_process
from tests.replay.kubeconfig import client_of

RBAC = "rbac.authorization.k8s.io"


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


@pytest.fixture(scope="module")
def cluster(kubeconfig):
    return KubeCluster(kubeconfig_access(kubeconfig))


@pytest.fixture
def namespace(cluster):
    name = f"gw-{uuid.uuid4().hex[:8]}"
    cluster.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    yield name
    cluster.delete(ObjectRef(group="", kind="Namespace", namespace="", name=name), "v1")


def of_account(kubeconfig, namespace, folder, name="deployer"):
    """The kubeconfig of a new ServiceAccount, which may do nothing yet."""
    client = client_of(kubeconfig, folder)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    account = json.dumps({"metadata": {"name": name}}).encode()
    assert client.send("POST", path, headers, account).status == 201
    asked = json.dumps({"spec": {"expirationSeconds": 600}}).encode()
    answer = client.send("POST", f"{path}/{name}/token", headers, asked)
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"] = {"token": answer.body["status"]["token"]}
    found = folder / f"{name}.kubeconfig"
    found.write_text(yaml.safe_dump(config))
    return found


def allow(cluster, namespace, *rules, name="deployer"):
    """Give that account a role with these rules."""
    meta = {"name": name, "namespace": namespace}
    head = {"apiVersion": f"{RBAC}/v1", "metadata": meta}
    cluster.create({**head, "kind": "Role", "rules": list(rules)})
    cluster.create(
        {
            **head,
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", **meta}],
        }
    )


def config_map(namespace, name="a", **body):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **body.pop("metadata", {})},
        **body,
    }


def eventually(look, seconds=15):
    """What a look gives once it is truthy; controllers of a real server take time."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "not seen in time"
        threading.Event().wait(0.05)
    return found
