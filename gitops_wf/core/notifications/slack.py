"""Slack: its message format, and what it answers.

Incoming webhooks (https://api.slack.com/messaging/webhooks) answer ``ok`` as text;
the Web API (``chat.postMessage``) answers JSON with ``ok``. Mattermost and Discord's
``/slack`` address do as the first.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.notifications.verdict import (
    Answer,
    Posted,
    Refused,
    RetryIn,
    Sent,
    Verdict,
    as_json,
    describe,
    judge_http,
    retry_after,
)
from gitops_wf.core.secret import Secret

_LIMITED = frozenset({"ratelimited", "rate_limited"})
_TRANSIENT = frozenset(
    {
        *_LIMITED,
        "rollup_error",
        "internal_error",
        "fatal_error",
        "request_timeout",
        "service_unavailable",
    }
)


def compose(subject: str, text: str) -> dict[str, Any]:
    """Return a message of a bold first line and a text, as plain text.

    Escaped, since a commit's subject is a stranger's: ``<!channel>`` would call
    everybody.
    """
    return {"text": f"*{escape(subject)}*\n{escape(text)}", "mrkdwn": True}


def escape(text: str) -> str:
    """Return text that Slack shows as it stands (its three control characters)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def posted(payload: Mapping[str, Any], sign: Secret | None, now: datetime) -> Posted:
    """Return what is posted; Slack knows no signature."""
    del sign, now
    return Posted(body=as_json(payload))


def judge(answer: Answer, now: datetime) -> Verdict:
    """Judge an answer by its status and by Slack's own word."""
    status = judge_http(answer, now)
    text = answer.text.strip()
    if not isinstance(status, Sent):
        if text in _TRANSIENT:
            return RetryIn(
                after=retry_after(answer.headers, now),
                detail=cut(text),
                is_limit=text in _LIMITED,
            )
        return status
    if text == "ok":
        return Sent(detail="Slack answered ok")
    try:
        answered = json.loads(text)
    except ValueError:
        answered = None
    if not isinstance(answered, dict) or "ok" not in answered:
        return Refused(detail=f"no answer of Slack's: {describe(answer)}")
    if answered["ok"] is True:
        return Sent(detail="Slack answered ok")
    error = cut(str(answered.get("error", "no reason given")))
    if error in _TRANSIENT:
        wait = retry_after(answer.headers, now) or timedelta(seconds=30)
        return RetryIn(
            after=wait, detail=f"Slack answered {error}", is_limit=error in _LIMITED
        )
    return Refused(detail=f"Slack answered {error}")
