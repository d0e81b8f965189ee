"""What the recordings of kubectl say was there before, or done meanwhile by others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.replay.client import Client

_AGENT = {"User-Agent": "recorder/1.0", "Accept": "application/json"}
_SECONDS = 30.0
_QUIET_SECONDS = 0.4
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
        },
    },
}


def _post(client: Client, path: str, manifest: Mapping[str, Any]) -> None:
    headers = {**_AGENT, "Content-Type": "application/json"}
    received = client.send("POST", path, headers, json.dumps(manifest).encode())
    assert received.status == 201, received.body


def _merge(client: Client, path: str, patch: Mapping[str, Any], manager: str) -> None:
    headers = {**_AGENT, "Content-Type": "application/merge-patch+json"}
    target = f"{path}?fieldManager={manager}"
    received = client.send("PATCH", target, headers, json.dumps(patch).encode())
    assert received.status == 200, received.body


def _wait(client: Client, path: str, settled: Callable[[Any], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        received = client.send("GET", path, _AGENT, None)
        if received.status == 200 and settled(received.body):
            return
        assert time.monotonic() < deadline, f"{path} does not settle: {received.body}"
        time.sleep(0.05)


def _is_available(deployment: Any) -> bool:
    conditions = deployment.get("status", {}).get("conditions") or []
    reasons = {one["reason"] for one in conditions}
    return {"MinimumReplicasAvailable", "NewReplicaSetAvailable"} <= reasons


def prepare(scenario: Mapping[str, Any], client: Client) -> None:
    """Make what the scenario says was there before its first request."""
    space = f"t{scenario['name'][:2]}"
    for said in scenario.get("before", ()):
        if said.startswith("namespace "):
            name = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": space},
            }
            _post(client, "/api/v1/namespaces", name)
            root = f"/api/v1/namespaces/{space}"
            _wait(client, f"{root}/serviceaccounts/default", lambda _one: True)
            _wait(client, f"{root}/configmaps/kube-root-ca.crt", lambda _one: True)
        elif said.startswith("Deployment web "):
            path = f"/apis/apps/v1/namespaces/{space}/deployments"
            _post(client, path, WEB)
            _wait(client, f"{path}/web", _is_available)


def settle(client: Client) -> None:
    """Wait until nothing has been written for a moment.

    kubectl takes a moment to start, in which controllers went on.
    """
    deadline, before, since = time.monotonic() + _SECONDS, "", time.monotonic()
    while time.monotonic() < deadline:
        body = client.send("GET", "/api/v1/secrets?limit=1", _AGENT, None).body
        now = body["metadata"]["resourceVersion"]
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > _QUIET_SECONDS:
            return
        time.sleep(0.05)


def _edit(client: Client) -> None:
    path = "/api/v1/namespaces/t82/configmaps/conf"
    _merge(client, path, {"data": {"k": "edited"}}, "editor")


def _make(path: str, name: str, **content: Any) -> Callable[[Client], None]:
    def make(client: Client) -> None:
        named = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        _post(client, path, named | content)

    return make


def _delete(path: str) -> Callable[[Client], None]:
    def delete(client: Client) -> None:
        received = client.send("DELETE", path, _AGENT, None)
        assert received.status == 200, received.body

    return delete


def _come_and_go(client: Client) -> None:
    path = "/api/v1/namespaces/t81/configmaps"
    _make(path, "new", data={"k": "v"})(client)
    _delete(f"{path}/new")(client)


# What others did while kubectl ran, by scenario and the step before which they did it.
MEANWHILE: dict[tuple[str, int], Callable[[Client], None]] = {
    ("81-kubectl-get-watch", 4): _come_and_go,
    ("82-kubectl-apply-server-side", 17): _edit,
    ("87-kubectl-wait", 10): _make("/api/v1/namespaces/t87/configmaps", "later"),
    ("87-kubectl-wait", 15): _delete("/api/v1/namespaces/t87/configmaps/later"),
}
