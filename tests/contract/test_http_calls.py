"""The steps request and webhook against receivers that answer as receivers do."""

import json
from datetime import timedelta

import pytest

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.http_outbound import BODY_LIMIT, HttpOutbound
from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.phases import Phase
from gitops_wf.steps import request, webhook
from tests.receivers import (
    GARBAGE,
    HANG_UP,
    SILENCE,
    Reply,
    http_receiver,
    redirect,
    too_many,
)
from tests.steps import CANARY, FakeSecrets, a_context, capabilities

TYPES = [request.STEP_TYPE, webhook.STEP_TYPE]
BOTH = pytest.mark.parametrize("step_type", TYPES, ids=lambda each: each.name)


@pytest.fixture
def receiver():
    with http_receiver() as running:
        yield running


def call(step_type, url, **properties):
    outbound = HttpOutbound(AddressGuard(AddressPolicy()))
    secrets = FakeSecrets({"ci/token": CANARY}, host="127.0.0.1")
    runner = step_type.make(capabilities(outbound=outbound, secrets=secrets))
    return runner.attempt(a_context(step_type, {"url": url, **properties}))


@BOTH
def test_an_answer_that_is_no_json_is_text_and_no_error(step_type, receiver):
    receiver.reply("/", Reply(body=b"<html>\xff {not json"))

    result = call(step_type, f"{receiver.url}/")

    assert result.phase is Phase.SUCCEEDED
    assert result.outputs["response"]["body"] == "<html>\ufffd {not json"
    assert result.outputs["response"]["statusCode"] == 200


@BOTH
def test_an_empty_answer_is_an_empty_text(step_type, receiver):
    receiver.reply("/", Reply(status=204, body=b""))

    result = call(step_type, f"{receiver.url}/")

    assert (result.phase, result.message) == (Phase.SUCCEEDED, "HTTP 204")
    assert result.outputs["response"]["body"] == ""


@BOTH
def test_a_status_of_400_fails(step_type, receiver):
    receiver.reply("/", Reply(status=400, body=b"no such build"))

    result = call(step_type, f"{receiver.url}/")

    assert (result.phase, result.message) == (Phase.FAILED, "HTTP 400: no such build")
    assert result.is_final


@BOTH
def test_a_429_is_tried_again_when_it_says(step_type, receiver):
    receiver.reply("/", too_many(7))

    with pytest.raises(TransientError, match="HTTP 429") as caught:
        call(step_type, f"{receiver.url}/")

    assert caught.value.retry_after == timedelta(seconds=7)


@BOTH
@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(status=500, body=b"oh no"), "HTTP 500: oh no"),
        (HANG_UP, "127.0.0.1"),
        (GARBAGE, "127.0.0.1"),
    ],
)
def test_a_broken_receiver_is_tried_again(step_type, receiver, reply, says):
    receiver.reply("/", reply)

    with pytest.raises(TransientError, match=says):
        call(step_type, f"{receiver.url}/")


@BOTH
@pytest.mark.parametrize("reply", [SILENCE, Reply(body=b"x" * 99, trickle=0.1)])
def test_a_slow_receiver_is_left_after_the_timeout(step_type, receiver, reply):
    receiver.reply("/", reply)

    with pytest.raises(TransientError, match=r"no answer within 0\.4s"):
        call(step_type, f"{receiver.url}/", timeout="400ms")


@BOTH
def test_a_huge_answer_is_cut_and_said_to_be(step_type, receiver):
    receiver.reply("/", Reply(body=b'{"a":"' + b"x" * BODY_LIMIT * 2 + b'"}'))

    result = call(step_type, f"{receiver.url}/")

    assert result.phase is Phase.SUCCEEDED
    assert result.message.endswith("(body cut)")
    assert len(result.outputs["response"]["body"]) == BODY_LIMIT


@BOTH
def test_a_redirect_to_another_host_is_not_followed(step_type, receiver):
    with http_receiver() as other:
        there = other.url.replace("127.0.0.1", "localhost")
        receiver.reply("/", redirect(f"{there}/stolen"))

        result = call(
            step_type,
            f"{receiver.url}/",
            method="GET",
            headers={"Authorization": {"secretRef": {"name": "ci", "key": "token"}}},
        )

        assert result.phase is Phase.FAILED
        assert "redirect" in result.message
        assert other.received == []


@BOTH
@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::ffff:169.254.169.254]", "100.100.100.200"]
)
def test_addresses_of_metadata_services_are_refused(step_type, host):
    with pytest.raises(TerminalError) as caught:
        call(step_type, f"http://{host}/latest/meta-data/")

    assert caught.value.reason == "AddressRefused"


@BOTH
def test_a_secret_in_a_body_arrives_and_its_echo_is_masked(step_type, receiver):
    receiver.answer = lambda received: Reply(body=received.body)
    field = "data" if step_type.name == "webhook" else "body"
    body = {"build": 7, "auth": [{"secretRef": {"name": "ci", "key": "token"}}]}

    result = call(step_type, f"{receiver.url}/", method="POST", **{field: body})

    [received] = receiver.received
    assert received.json == {"build": 7, "auth": [CANARY]}
    assert received.headers["content-type"] == "application/json"
    assert result.outputs["response"]["body"] == {"build": 7, "auth": ["***"]}
    assert CANARY not in repr(result)


@BOTH
def test_repetitions_carry_the_same_key(step_type, receiver):
    call(step_type, f"{receiver.url}/")
    call(step_type, f"{receiver.url}/")

    keys = [received.headers["idempotency-key"] for received in receiver.received]
    assert keys == ["shop/prod#12.1/tell"] * 2


@pytest.mark.parametrize(
    ("body", "content_type", "sent"),
    [
        (
            {"form": {"a": "1 & 2", "t": {"secretRef": {"name": "ci", "key": "token"}}}},
            "application/x-www-form-urlencoded",
            f"a=1+%26+2&t={CANARY}",
        ),
        ({"text": "größe"}, "text/plain; charset=utf-8", "größe"),
        (
            {"text": {"secretRef": {"name": "ci", "key": "token"}}},
            "text/plain; charset=utf-8",
            CANARY,
        ),
        ({"body": ["größe", 1]}, "application/json", json.dumps(["größe", 1], ensure_ascii=False)),
        ({"body": False}, "application/json", "false"),
    ],
)  # fmt: skip
def test_a_request_sends_json_or_text_or_a_form(receiver, body, content_type, sent):
    call(request.STEP_TYPE, f"{receiver.url}/", method="PUT", **body)

    [received] = receiver.received
    assert (received.method, received.body.decode()) == ("PUT", sent)
    assert received.headers["content-type"] == content_type


def test_a_request_takes_headers_by_kubevelas_names(receiver):
    call(
        request.STEP_TYPE,
        f"{receiver.url}/",
        header={"X-Team": "web"},
        headersFromSecret=[{"header": "X-Token", "secret": "ci", "key": "token"}],
    )

    [received] = receiver.received
    assert (received.method, received.body) == ("GET", b"")
    assert received.headers["x-team"] == "web"
    assert received.headers["x-token"] == CANARY


def test_the_users_own_content_type_and_key_win(receiver):
    headers = {"content-type": "application/merge-patch+json", "idempotency-key": "7"}

    call(
        request.STEP_TYPE, f"{receiver.url}/", method="PATCH", body={}, headers=headers
    )

    [received] = receiver.received
    assert received.headers["content-type"] == "application/merge-patch+json"
    assert received.headers["idempotency-key"] == "7"
