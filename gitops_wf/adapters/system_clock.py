"""The machine's clock."""

from datetime import UTC, datetime


class SystemClock:
    """The Clock role, by the operating system."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock port's adapter
