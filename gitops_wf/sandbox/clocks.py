"""Times as Kubernetes writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def system_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A `Time`: whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_stamp(moment: datetime) -> str:
    """A `MicroTime`: six decimals."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_stamp(text: str) -> datetime:
    """The moment of a `Time` or `MicroTime`; ValueError where it is neither."""
    return datetime.fromisoformat(text).astimezone(UTC)
