import json
from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.core.notifications import lark
from gitops_wf.core.notifications.verdict import Answer, Refused, RetryIn, Sent
from gitops_wf.core.secret import Secret

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


def answer(status=200, body=b"", **headers):
    text = json.dumps(body) if isinstance(body, dict) else body.decode()
    return Answer(status=status, headers=headers, text=text)


def test_the_signature_is_what_openssl_computes():
    # printf '' | openssl dgst -sha256 -hmac "$(printf '1599360473\nSECdemo')" -binary | base64
    assert lark.signature(Secret("SECdemo"), 1599360473) == (
        "UNvK0aHeWrPUMl0ySOUpIoYdvBDU1mnjgkbX5JtMxkk="
    )


def test_a_signed_body_has_seconds_beside_the_message():
    payload = {"msg_type": "text", "content": {"text": "hi"}}

    sent = json.loads(lark.posted(payload, Secret("SECdemo"), NOW).body)

    assert sent.pop("timestamp") == str(int(NOW.timestamp()))
    assert sent.pop("sign")
    assert sent == payload
    assert json.loads(lark.posted(payload, None, NOW).body) == payload


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (answer(body={"code": 0, "msg": "success", "data": {}}), Sent),
        (answer(body={"StatusCode": 0, "StatusMessage": "success"}), Sent),
        (answer(body={"code": 0, "StatusCode": 0, "msg": "success"}), Sent),
        (answer(body={"code": 19021, "msg": "sign match fail"}), Refused),
        (answer(body={"code": 19024, "msg": "Key Words Not Found"}), Refused),
        (answer(400, {"code": 9499, "msg": "Bad Request"}), Refused),
        (answer(400, {"code": 9499, "msg": "too many request"}), RetryIn),
        (answer(body={"code": 11232, "msg": "frequency limited"}), RetryIn),
        (answer(400, {"code": 99991400, "msg": "frequency limit"}), RetryIn),
        (answer(404, {"code": 0}), Refused),
        (answer(500, {"code": 0}), RetryIn),
        (answer(429), RetryIn),
        (answer(body={"msg": "success"}), Refused),
        (answer(body={"code": "0"}), Refused),
        (answer(body={"code": False}), Refused),
        (answer(body=b"[0]"), Refused),
        (answer(body=b"<html>sign in to the guest network"), Refused),
        (answer(body=b""), Refused),
        (answer(502, b"bad gateway"), RetryIn),
        (answer(404, b"404 page not found"), Refused),
    ],
)
def test_only_code_zero_is_sent(given, verdict):
    assert isinstance(lark.judge(given, NOW), verdict)


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        (answer(body={"code": 11232, "msg": "frequency limited"}), 60),
        (answer(429, **{"retry-after": "7"}), 7),
    ],
)
def test_the_limit_of_a_robot_is_told_from_other_refusals(given, wait):
    verdict = lark.judge(given, NOW)

    assert verdict.is_limit
    assert verdict.after == timedelta(seconds=wait)


def test_a_strangers_text_calls_nobody():
    message = lark.compose("prod#1", '<at user_id="all">Everyone</at>')

    assert message["msg_type"] == "text"
    assert "<at" not in message["content"]["text"]
    assert 'at user_id="all"' in message["content"]["text"]
