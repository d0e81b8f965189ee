import json
from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.core.notifications import dingtalk
from gitops_wf.core.notifications.verdict import Answer, Refused, RetryIn, Sent
from gitops_wf.core.secret import Secret

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


def answer(status=200, body=b"", **headers):
    text = json.dumps(body) if isinstance(body, dict) else body.decode()
    return Answer(status=status, headers=headers, text=text)


@pytest.mark.parametrize(
    ("secret", "milliseconds", "sign"),
    [
        # printf '%s\n%s' MS SECRET | openssl dgst -sha256 -hmac SECRET -binary | base64
        (
            "SECthis-is-a-secret",
            1577262236757,
            "HhRJDmWATK%2BjoJrVQG9qdv%2FzOrIkZiG0qtqUwjMEJ1k%3D",
        ),
        (
            "SEC000000000000000000000",
            1700000000000,
            "1zJ%2Fw34EOSVAYr7cu7Vo8LnebmK2%2FGrCgegtr8mQrqM%3D",
        ),
    ],
)
def test_the_signature_is_what_openssl_computes(secret, milliseconds, sign):
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)

    query = dingtalk.signature(Secret(secret), now)

    assert query == f"timestamp={milliseconds}&sign={sign}"


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (answer(body={"errcode": 0, "errmsg": "ok"}), Sent),
        (answer(body={"errcode": 310000, "errmsg": "sign not match"}), Refused),
        (answer(body={"errcode": 400101, "errmsg": "token not exist"}), Refused),
        (answer(body={"errcode": -1, "errmsg": "system busy"}), RetryIn),
        (answer(body={"errcode": 130101, "errmsg": "send too fast"}), RetryIn),
        (answer(body={"errcode": 410100, "errmsg": "send too fast"}), RetryIn),
        (answer(body={"errmsg": "ok"}), Refused),
        (answer(body={"errcode": "0"}), Refused),
        (answer(body=b"<html>sign in to the guest network"), Refused),
        (answer(body=b""), Refused),
        (answer(status=429), RetryIn),
        (answer(status=502, body=b"bad gateway"), RetryIn),
        (answer(status=404), Refused),
    ],
)
def test_only_errcode_zero_is_sent(given, verdict):
    assert isinstance(dingtalk.judge(given, NOW), verdict)


def test_a_throttled_robot_is_left_alone_for_its_ten_minutes():
    given = answer(body={"errcode": 130101, "errmsg": "exceed 20 times per minute"})

    verdict = dingtalk.judge(given, NOW)

    assert verdict.after == timedelta(minutes=10)
    assert "errcode 130101: exceed 20 times" in verdict.detail


def test_a_composed_message_is_plain_text():
    assert dingtalk.compose("prod#1 FAILED", "[x](http://evil)") == {
        "msgtype": "text",
        "text": {"content": "prod#1 FAILED\n[x](http://evil)"},
    }
