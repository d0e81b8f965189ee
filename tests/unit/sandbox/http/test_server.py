from __future__ import annotations

import http.client
import json

import pytest

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.http.server import SandboxServer
from gitops_wf.sandbox.storage import Storage

HEADERS = {"Authorization": "Bearer t0ken", "User-Agent": "tester/1.0"}


@pytest.fixture
def log(tmp_path):
    return tmp_path / "requests.jsonl"


@pytest.fixture
def server(log):
    api = ObjectApi(Storage(":memory:"))
    with SandboxServer(api, token="t0ken", request_log=log) as running:
        yield running


def ask(server, method, path, *, body=None, headers=HEADERS):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        raw = None if body is None else json.dumps(body)
        connection.request(method, path, raw, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "headers", [{"Authorization": "Bearer other"}, {"Authorization": "Basic t0ken"}]
)
def test_a_request_without_the_clusters_token_is_unauthorized(server, headers):
    status, body = ask(server, "GET", "/api/v1/namespaces", headers=headers)

    assert status == 401
    assert json.loads(body)["reason"] == "Unauthorized"


def test_health_needs_no_token(server):
    assert ask(server, "GET", "/readyz", headers={}) == (200, "ok")


def test_every_request_is_witnessed_with_what_it_wrote(server, log):
    space = {"metadata": {"name": "a"}}
    as_bob = {**HEADERS, "Impersonate-User": "bob"}
    ask(server, "POST", "/api/v1/namespaces?fieldManager=x", body=space)
    ask(server, "GET", "/api/v1/namespaces/none", headers=as_bob)
    ask(server, "GET", "/api/v1/namespaces/a", headers={})
    ask(server, "GET", "/api/v1/namespaces/a", headers={"Authorization": "Bearer x"})

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    seen = [
        (one["method"], one["path"], one["code"], one["user"], one["userAgent"])
        for one in lines
    ]
    assert seen == [
        ("POST", "/api/v1/namespaces?fieldManager=x", 201, "admin", "tester/1.0"),
        ("GET", "/api/v1/namespaces/none", 403, "bob", "tester/1.0"),
        ("GET", "/api/v1/namespaces/a", 403, "system:anonymous", ""),
        ("GET", "/api/v1/namespaces/a", 401, "", ""),
    ]
    assert lines[0]["resourceVersion"].isdigit()
    assert lines[1]["resourceVersion"] == ""


def test_a_server_that_stops_ends_its_watches(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/api/v1/namespaces?watch=true", headers=HEADERS)
    answer = connection.getresponse()

    server.stop()

    assert answer.read() == b""
    connection.close()


def test_a_body_that_breaks_the_server_is_answered_and_the_next_request_served(server):
    deep = "[" * 100_000
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/api/v1/namespaces", deep, HEADERS)
    status = connection.getresponse().status
    connection.close()

    assert status in (400, 500)
    assert ask(server, "GET", "/api/v1/namespaces")[0] == 200
