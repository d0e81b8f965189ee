"""DingTalk's custom robots: message format, signature, and what they answer.

https://open.dingtalk.com/document/robots/custom-robot-access: the address is
``/robot/send?access_token=…``, with ``timestamp`` and ``sign`` where the robot was
set to sign. HTTP 200 says nothing; ``errcode`` 0 does.
"""

import base64
import hashlib
import hmac
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
)
from gitops_wf.core.secret import Secret

THROTTLE = timedelta(minutes=10)
"""A robot that sent more than 20 messages in a minute is muted for ten."""

_THROTTLED = frozenset({130101, 410100})
_BUSY = frozenset({-1, 88, 90018})  # system busy; calls per second of the platform


def compose(subject: str, text: str) -> dict[str, Any]:
    """Return a plain text message: DingTalk renders nothing in it.

    Not markdown, since a commit's subject is a stranger's.
    """
    return {"msgtype": "text", "text": {"content": f"{subject}\n{text}"}}


def posted(payload: Mapping[str, Any], sign: Secret | None, now: datetime) -> Posted:
    """Return what is posted, its address signed where the robot's secret is given."""
    query = "" if sign is None else signature(sign, now)
    return Posted(body=as_json(payload), query=query)


def signature(secret: Secret, now: datetime) -> str:
    """Return ``timestamp=…&sign=…``, to be added to the address's query.

    HMAC-SHA256 of milliseconds, a line end and the secret, with the secret as
    key; base64, URL encoded. DingTalk takes it for an hour.
    """
    timestamp = int(now.timestamp() * 1000)
    text = f"{timestamp}\n{secret.reveal()}".encode()
    digest = hmac.new(secret.reveal().encode(), text, hashlib.sha256).digest()
    encoded = base64.b64encode(digest).decode()
    sign = encoded.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    return f"timestamp={timestamp}&sign={sign}"


def judge(answer: Answer, now: datetime) -> Verdict:
    """Judge an answer by its status and by ``errcode``."""
    status = judge_http(answer, now)
    if not isinstance(status, Sent):
        return status
    try:
        answered = json.loads(answer.text)
    except ValueError:
        answered = None
    if not isinstance(answered, dict) or not isinstance(answered.get("errcode"), int):
        return Refused(detail=f"no answer of DingTalk's: {describe(answer)}")
    code: int = answered["errcode"]
    if code == 0:
        return Sent(detail="DingTalk answered errcode 0")
    message = cut(str(answered.get("errmsg", "")))
    detail = f"DingTalk answered errcode {code}: {message}"
    if code in _THROTTLED:
        return RetryIn(after=THROTTLE, detail=detail, is_limit=True)
    if code in _BUSY:
        return RetryIn(after=None, detail=detail)
    return Refused(detail=detail)
