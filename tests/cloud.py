"""Plays the cloud's controller on a real API server, as the sandbox does by itself."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from gitops_wf.adapters.kube_api import KubeCluster
from gitops_wf.core.errors import GitOpsError
from gitops_wf.ports.cluster import ApiResource
from gitops_wf.sandbox.controllers.cloud import SECRET, SECRET_NAME, STATUS

_PAUSE = 0.1
_SECRETS = ApiResource(
    group="", version="v1", kind="Secret", plural="secrets", is_namespaced=True
)


@contextmanager
def played_cloud(cluster: KubeCluster, kinds: list[tuple[str, str]]) -> Iterator[None]:
    """Bring objects of these kinds (apiVersion, kind) to what they ask for."""
    ending = threading.Event()

    def play() -> None:
        while not ending.wait(_PAUSE):
            for version, kind in kinds:
                resource = cluster.resource(version, kind)
                for item in cluster.list(resource):
                    try:
                        _bring(cluster, resource, dict(item))
                    except GitOpsError:
                        continue  # it was changed meanwhile: the next round sees it

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _bring(cluster: KubeCluster, resource: ApiResource, item: dict[str, Any]) -> None:
    metadata = item["metadata"]
    asked = metadata.get("annotations") or {}
    if "deletionTimestamp" in metadata:
        return
    if SECRET in asked:
        _write_secret(cluster, item, asked)
    if STATUS not in asked or item.get("status") == yaml.safe_load(asked[STATUS]):
        return
    place = metadata.get("namespace")
    path = f"/apis/{resource.api_version}"
    path += f"/namespaces/{place}" if place else ""
    answer = cluster._transport.request(
        "PUT",
        f"{path}/{resource.plural}/{metadata['name']}/status",
        query={"fieldManager": "cloud"},
        body={**item, "status": yaml.safe_load(asked[STATUS])},
    )
    assert answer.status in {200, 404, 409}, answer.body


def _write_secret(
    cluster: KubeCluster, item: dict[str, Any], asked: dict[str, str]
) -> None:
    metadata = item["metadata"]
    reference = (item.get("spec") or {}).get("writeConnectionSecretToRef") or {}
    name = asked.get(SECRET_NAME) or reference["name"]
    place = reference.get("namespace") or metadata["namespace"]
    data = {
        key: base64.b64encode(str(value).encode()).decode()
        for key, value in yaml.safe_load(asked[SECRET]).items()
    }
    live = cluster.get(_SECRETS, place, name)
    if live is not None:
        if live.get("data") != data:
            cluster.replace({**live, "data": data})
        return
    owner = {key: metadata[key] for key in ("name", "uid")}
    cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": place,
                "ownerReferences": [
                    {"apiVersion": item["apiVersion"], "kind": item["kind"], **owner}
                ],
            },
            "data": data,
        }
    )
