"""What a receiver is sent, and what its answer means: sent, try again, refused."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from gitops_wf.core.errors import cut

LONGEST_WAIT = timedelta(hours=1)
"""However long a receiver asks to wait, we ask again after this."""

TOO_MANY = 429
"""Too Many Requests (RFC 6585, section 4)."""

_TRANSIENT = frozenset({408, 425, TOO_MANY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The receiver confirmed it."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryIn:
    """Not sent, worth another try; ``after`` is the wait that was asked for.

    ``is_limit`` says that it came too soon after others, and nothing else is wrong.
    """

    after: timedelta | None
    detail: str
    is_limit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not sent, and trying again cannot help."""

    detail: str


Verdict = Sent | RetryIn | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a receiver is sent: JSON, and what its address's query needs besides.

    A ``query`` signs, and is as secret as an address that holds a token.
    """

    body: bytes
    query: str = ""


def as_json(payload: Mapping[str, Any]) -> bytes:
    """Return a payload as it is posted."""
    return json.dumps(payload, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer as the judges see it; ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    text: str


def judge_http(
    answer: Answer, now: datetime, *, expected: Collection[int] = ()
) -> Verdict:
    """Judge by the status alone: 2xx (or what is expected) is Sent.

    408, 425, 429 and 5xx are worth another try, as RFC 9110 and RFC 6585 mean them.
    """
    status = answer.status
    if status in expected or (not expected and 200 <= status < 300):
        return Sent(detail=f"HTTP {status}")
    detail = describe(answer)
    if status in _TRANSIENT or 500 <= status < 600:
        return RetryIn(
            after=retry_after(answer.headers, now),
            detail=detail,
            is_limit=status == TOO_MANY,
        )
    if 300 <= status < 400:
        detail = f"HTTP {status}: a redirect that is not followed; write its final URL"
    return Refused(detail=detail)


def describe(answer: Answer) -> str:
    """Return the status and an excerpt of the body, on one line."""
    excerpt = cut(answer.text)
    return f"HTTP {answer.status}: {excerpt}" if excerpt else f"HTTP {answer.status}"


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return the wait that ``Retry-After`` asks for (RFC 9110, 10.2.3), at most 1 h."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = min(int(value[:9]), int(LONGEST_WAIT.total_seconds()))
        return timedelta(seconds=seconds)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta(0)), LONGEST_WAIT)
