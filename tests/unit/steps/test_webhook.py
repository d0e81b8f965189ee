import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from gitops_wf.core.errors import (
    InvalidTransitionError,
    TerminalError,
    TransientError,
)
from gitops_wf.core.phases import Phase
from gitops_wf.core.secret import Secret
from gitops_wf.ports.outbound import HttpResponse
from gitops_wf.steps.webhook import STEP_TYPE
from tests.steps import CANARY, NOW, FakeOutbound, FakeSecrets, a_context, capabilities

SCHEMA = Path(__file__).parents[3] / "docs/reference/webhook-payload.schema.json"
URL = "https://ci.example/hook"


def answer(status=200, body=b"{}", **headers):
    return HttpResponse(status=status, headers=headers, body=body)


def attempt(properties, given=None, **more):
    outbound = FakeOutbound(given or answer())
    secrets = FakeSecrets({"ci/token": f"Bearer {CANARY}", "ci/url": f"{URL}/{CANARY}"})
    runner = STEP_TYPE.make(capabilities(outbound=outbound, secrets=secrets))
    return outbound, lambda: runner.attempt(a_context(STEP_TYPE, properties, **more))


def test_without_data_the_run_is_posted_as_its_schema_says():
    status = {"deploy": {"phase": "Succeeded", "reason": "", "message": "", "x": 1}}
    variables = {"status": status, "run": {"outcome": "Succeeded"}}
    outbound, act = attempt({"url": URL}, variables=variables)

    result = act()

    [request] = outbound.sent
    payload = json.loads(request.body)
    jsonschema.validate(payload, json.loads(SCHEMA.read_text()))
    assert result.phase is Phase.SUCCEEDED
    assert (request.method, request.url) == ("POST", URL)
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Idempotency-Key"] == "shop/prod#12.1/tell"
    assert payload["environment"]["id"] == "shop/prod"
    assert payload["revision"]["number"] == 12
    assert payload["run"]["outcome"] == "Succeeded"
    assert payload["run"]["steps"] == {
        "deploy": {"phase": "Succeeded", "reason": "", "message": ""}
    }


def test_the_schema_refuses_a_payload_that_lacks_something():
    _, act = attempt({"url": URL})
    act()

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"kind": "RunReport"}, json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("data", [{"a": [1]}, [1, 2], "text", 0, False])
def test_given_data_is_posted_as_it_stands(data):
    outbound, act = attempt({"url": URL, "data": data, "method": "PUT"})

    act()

    assert json.loads(outbound.sent[0].body) == data
    assert outbound.sent[0].method == "PUT"


def test_a_get_has_no_body():
    outbound, act = attempt({"url": URL, "method": "GET", "timeout": "3s"})

    act()

    assert outbound.sent[0].body == b""
    assert outbound.sent[0].timeout == timedelta(seconds=3)


def test_url_and_headers_by_reference_are_sent_as_secrets():
    outbound, act = attempt(
        {
            "url": {"secretRef": {"name": "ci", "key": "url"}},
            "headers": {
                "Authorization": {"secretRef": {"name": "ci", "key": "token"}},
                "X-A": "b",
            },
        }
    )

    act()

    assert outbound.sent[0].url == Secret(f"{URL}/{CANARY}")
    assert outbound.sent[0].headers["Authorization"] == Secret(f"Bearer {CANARY}")
    assert outbound.sent[0].headers["X-A"] == "b"


def test_a_secret_goes_to_no_host_that_its_grant_does_not_name():
    outbound, act = attempt(
        {
            "url": "https://evil.example/",
            "headers": {"X-Key": {"secretRef": {"name": "ci", "key": "token"}}},
        }
    )

    with pytest.raises(TerminalError, match=r"may not be sent to evil\.example"):
        act()

    assert not outbound.sent


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"id": 7}', {"id": 7}),
        (b"plain", "plain"),
        (b"\xff", "\ufffd"),
        (b"[" * 20000, "[" * 20000),
    ],
)
def test_the_answer_is_an_output_as_json_or_text(body, value):
    _, act = attempt({"url": URL}, answer(201, body, etag="e", **{"set-cookie": "s"}))

    result = act()

    assert result.outputs == {
        "response": {
            "status": 201,
            "statusCode": 201,
            "body": value,
            "headers": {"etag": "e"},
        }
    }


@pytest.mark.parametrize("status", [400, 401, 404, 410, 302])
def test_a_refusal_is_final_and_quotes_the_answer(status):
    _, act = attempt({"url": URL}, answer(status, b"no such build"))

    result = act()

    assert (result.phase, result.reason) == (Phase.FAILED, "RequestRefused")
    assert result.is_final
    assert f"HTTP {status}: " in result.message
    assert result.outputs["response"]["status"] == status


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again_after_the_wait_asked_for(status):
    _, act = attempt({"url": URL}, answer(status, b"busy", **{"retry-after": "9"}))

    with pytest.raises(TransientError, match=f"HTTP {status}: busy") as caught:
        act()

    assert caught.value.retry_after == timedelta(seconds=9)


def test_expected_statuses_are_right_and_no_others():
    properties = {"url": URL, "expectedStatuses": [404]}

    _, absent = attempt(properties, answer(404))
    _, present = attempt(properties, answer(200))

    assert absent().phase is Phase.SUCCEEDED
    assert present().phase is Phase.FAILED


@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_echoes_a_secret_does_not_show_it(status):
    echo = answer(status, f"got Bearer {CANARY} at /{CANARY}".encode(), x=CANARY)
    _, act = attempt(
        {
            "url": URL,
            "headers": {"Authorization": {"secretRef": {"name": "ci", "key": "token"}}},
        },
        echo,
    )

    assert CANARY not in repr(act())


def test_there_is_nothing_to_look_at():
    runner = STEP_TYPE.make(capabilities())

    with pytest.raises(InvalidTransitionError):
        runner.look(a_context(STEP_TYPE, {"url": URL}, now=NOW))


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"url": {"value": URL, "secretRef": {"name": "x"}}},
        {"url": URL, "timeout": "soon"},
        {"url": URL, "timeout": 5},
        {"url": URL, "method": "BREW"},
        {"url": URL, "headers": {"A": {"value": "plain"}}},
        {"url": URL, "body": {}},
    ],
)
def test_wrong_properties_are_refused(properties):
    with pytest.raises(ValidationError):
        STEP_TYPE.properties.model_validate(properties)
