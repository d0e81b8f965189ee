"""Lark and Feishu: custom robots' message format, signature, and what they answer.

https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot: the address is
``/open-apis/bot/v2/hook/…``; a robot that was set to sign wants ``timestamp`` and
``sign`` in the body. ``code`` 0 says that it was sent, in older answers ``StatusCode``.
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
    retry_after,
)
from gitops_wf.core.secret import Secret

THROTTLE = timedelta(minutes=1)
"""A robot may send 100 messages in a minute, 5 in a second."""

_THROTTLED = frozenset({11232, 99991400})
_AMBIGUOUS = 9499
"""Bad request, or too many of them: only its text says which."""


def compose(subject: str, text: str) -> dict[str, Any]:
    """Return a text message.

    Lark makes calls of ``<at …>`` in it, and a commit's subject is a stranger's: the
    sign that begins one becomes one that only looks like it.
    """
    safe = f"{subject}\n{text}".replace("<", "\N{FULLWIDTH LESS-THAN SIGN}")
    return {"msg_type": "text", "content": {"text": safe}}


def posted(payload: Mapping[str, Any], sign: Secret | None, now: datetime) -> Posted:
    """Return what is posted, signed in itself where the robot's secret is given."""
    signed = dict(payload)
    if sign is not None:
        timestamp = int(now.timestamp())
        signed = {"timestamp": str(timestamp), "sign": signature(sign, timestamp)}
        signed |= payload
    return Posted(body=as_json(signed))


def signature(secret: Secret, timestamp: int) -> str:
    """Return the signature for a time in seconds; Lark takes it for an hour.

    HMAC-SHA256 of nothing, with the time, a line end and the secret as key; base64.
    """
    key = f"{timestamp}\n{secret.reveal()}".encode()
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()


def judge(answer: Answer, now: datetime) -> Verdict:
    """Judge by ``code``, in older answers ``StatusCode``; without either, by status.

    Lark answers its limit and other refusals with 200 as well as with 400.
    """
    status = judge_http(answer, now)
    if isinstance(status, RetryIn):
        return status
    try:
        answered = json.loads(answer.text)
    except ValueError:
        answered = None
    fields = answered if isinstance(answered, dict) else {}
    code = fields.get("code", fields.get("StatusCode"))
    if isinstance(code, bool) or not isinstance(code, int):
        if isinstance(status, Refused):
            return status
        return Refused(detail=f"no answer of Lark's: {describe(answer)}")
    if code == 0 and isinstance(status, Sent):
        return Sent(detail="Lark answered code 0")
    said = cut(str(fields.get("msg") or fields.get("StatusMessage") or ""))
    detail = f"Lark answered code {code}: {said}"
    is_flood = code == _AMBIGUOUS and "too many" in said.casefold()
    if code in _THROTTLED or is_flood:
        wait = retry_after(answer.headers, now) or THROTTLE
        return RetryIn(after=wait, detail=detail, is_limit=True)
    return Refused(detail=detail)
