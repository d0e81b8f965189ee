import json
from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.core.notifications import slack
from gitops_wf.core.notifications.verdict import (
    Answer,
    Refused,
    RetryIn,
    Sent,
    judge_http,
    retry_after,
)

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


def answer(status=200, text="", **headers):
    return Answer(status=status, headers=headers, text=text)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (answer(text="ok"), Sent),
        (answer(text="ok\n"), Sent),
        (answer(text='{"ok": true}'), Sent),
        (answer(text='{"ok": false, "error": "invalid_auth"}'), Refused),
        (answer(text='{"ok": false, "error": "ratelimited"}'), RetryIn),
        (answer(text='{"ok": "true"}'), Refused),
        (answer(text="<html>please log in</html>"), Refused),
        (answer(text=""), Refused),
        (answer(400, "invalid_payload"), Refused),
        (answer(403, "invalid_token"), Refused),
        (answer(410, "channel_is_archived"), Refused),
        (answer(429, "rate_limited"), RetryIn),
        (answer(500, "rollup_error"), RetryIn),
        (answer(302, ""), Refused),
    ],
)
def test_only_slacks_own_ok_is_sent(given, verdict):
    assert isinstance(slack.judge(given, NOW), verdict)


def test_a_refusal_says_slacks_own_word():
    assert slack.judge(answer(403, "invalid_token"), NOW).detail == (
        "HTTP 403: invalid_token"
    )


def test_a_strangers_text_cannot_call_everybody():
    message = slack.compose("prod#1", "<!channel> & <@U1> did it")

    assert message["text"] == "*prod#1*\n&lt;!channel&gt; &amp; &lt;@U1&gt; did it"


def test_the_message_is_posted_as_it_stands():
    payload = {"text": "grüße", "attachments": [{"color": "good"}], "thread_ts": "1.2"}

    assert json.loads(slack.posted(payload, None, NOW).body) == payload


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        ("Mon, 23 Nov 2026 06:31:00 GMT", 60),
        ("Mon, 23 Nov 2026 06:00:00 GMT", 0),
        ("99999999999999", 3600),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_an_hour(value, seconds):
    assert retry_after({"retry-after": value}, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "soon", "-5", "١٢"])
def test_a_retry_after_that_is_neither_is_as_if_not_there(value):
    assert retry_after({"retry-after": value}, NOW) is None


@pytest.mark.parametrize(
    ("status", "expected", "verdict"),
    [
        (201, (), Sent),
        (404, (), Refused),
        (404, (404,), Sent),
        (200, (202,), Refused),
        (408, (), RetryIn),
        (503, (503,), Sent),
        (503, (), RetryIn),
        (301, (), Refused),
    ],
)
def test_a_status_is_judged_by_what_is_expected(status, expected, verdict):
    assert isinstance(judge_http(answer(status), NOW, expected=expected), verdict)
