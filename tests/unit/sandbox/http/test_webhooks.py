"""What others see while an admission webhook takes its time."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.replay.sandbox import fresh_sandbox
from tests.webhooks import configuration, webhook

HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
MERGE = {**HEADERS, "Content-Type": "application/merge-patch+json"}
CONFIGS = "/api/v1/namespaces/checked/configmaps"
GROUP = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture
def hook(tmp_path):
    with webhook(tmp_path) as running:
        yield running


@pytest.fixture
def client():
    with fresh_sandbox(frozen=False) as (client, _settle):
        assert send(
            client, "POST", "/api/v1/namespaces", {"metadata": {"name": "checked"}}
        )
        yield client


def send(client, method, path, body, headers=HEADERS):
    return client.send(method, path, headers, json.dumps(body).encode())


def register(client, hook, **changes):
    manifest = configuration("checked", hook.client(), **changes)
    answer = send(client, "POST", f"{GROUP}/validatingwebhookconfigurations", manifest)
    assert answer.status == 201, answer.body


def asked(hook, times):
    while len(hook.asked) < times:
        threading.Event().wait(0.005)


def test_others_are_served_while_a_webhook_thinks(client, hook):
    hook.hold = threading.Event()
    register(client, hook, timeoutSeconds=30)

    with ThreadPoolExecutor() as pool:
        slow = pool.submit(send, client, "POST", CONFIGS, {"metadata": {"name": "a"}})
        asked(hook, 1)
        other = send(
            client,
            "POST",
            "/api/v1/namespaces/default/configmaps",
            {"metadata": {"name": "b"}},
        )
        read = client.send("GET", CONFIGS, HEADERS, None)
        hook.hold.set()

    assert other.status == 201
    assert "a" not in [one["metadata"]["name"] for one in read.body["items"]]
    assert slow.result().status == 201


def test_a_change_that_was_overtaken_meanwhile_is_made_anew(client, hook):
    send(client, "POST", CONFIGS, {"metadata": {"name": "a"}, "data": {"first": "1"}})
    hook.hold = threading.Event()
    register(client, hook, timeoutSeconds=30)

    with ThreadPoolExecutor() as pool:
        path = f"{CONFIGS}/a"
        slow = pool.submit(send, client, "PATCH", path, {"data": {"slow": "1"}}, MERGE)
        asked(hook, 1)
        client.send(
            "DELETE", f"{GROUP}/validatingwebhookconfigurations/checked", HEADERS, None
        )
        send(client, "PATCH", path, {"data": {"fast": "1"}}, MERGE)
        hook.hold.set()

    assert slow.result().body["data"] == {"first": "1", "fast": "1", "slow": "1"}


def test_conditions_in_cel_choose_what_is_asked(client, hook):
    hook.denies("no")
    condition = {"name": "only-b", "expression": "object.metadata.name == 'b'"}
    register(client, hook, matchConditions=[condition])

    passed = send(client, "POST", CONFIGS, {"metadata": {"name": "a"}})
    stopped = send(client, "POST", CONFIGS, {"metadata": {"name": "b"}})

    assert (passed.status, stopped.status) == (201, 400)
    assert [one["name"] for one in hook.asked] == ["b"]


def test_a_configuration_itself_is_never_sent_to_a_webhook(client, hook):
    hook.denies("no")
    everything = {
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "operations": ["*"],
        "resources": ["*/*"],
    }
    register(client, hook, rules=[everything], namespaceSelector={})

    refused = send(client, "POST", "/api/v1/namespaces", {"metadata": {"name": "x"}})
    mended = client.send(
        "DELETE", f"{GROUP}/validatingwebhookconfigurations/checked", HEADERS, None
    )

    assert (refused.status, mended.status) == (400, 200)
