"""Waiting for who may take over what left Git, before it is deleted.

A commit that moves an object makes a revision of both environments, and either may
come first. A memo names those that are `awaited`. Counted is from the first look:
however long the apply took, the others have their time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

PATIENCE = timedelta(minutes=1)


def waiting_since(memo: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the memo of a look with the time since when it is waited, if it is."""
    since = {"awaited_since": now.isoformat()} if memo.get("awaited") else {}
    return {**since, **memo}


def patience_left(memo: Mapping[str, Any], now: datetime) -> timedelta:
    """Return how much longer is waited; nothing where that is over."""
    if not memo.get("awaited"):
        return timedelta()
    since = memo.get("awaited_since")
    gone = now - datetime.fromisoformat(since) if since else timedelta()
    return max(PATIENCE - gone, timedelta())


def awaiting(environments: Sequence[str], objects: int) -> str:
    """Say who is waited for, and what follows."""
    takes = "it takes" if len(environments) == 1 else "they take"
    what = "1 object that" if objects == 1 else f"{objects} objects that"
    return (
        f"waiting for {', '.join(environments)} to say what {takes} over, a minute at"
        f" most, before {what} left Git {'is' if objects == 1 else 'are'} deleted"
    )
