"""The operator's brake: who stopped new attempts, where, since when, and why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_wf.core.identifiers import EnvironmentId

TOLD_AGAIN_AFTER = timedelta(days=1)
"""A pause that was forgotten stops releases without anybody noticing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause of one environment, or of all where ``environment`` is None.

    ``by`` is the account on the daemon's host that asked for it; ``told`` is when
    an event last said that it is there.
    """

    environment: EnvironmentId | None
    reason: str
    by: str
    since: datetime
    told: datetime

    @property
    def text(self) -> str:
        """What a person is told of it."""
        what = "everything is paused" if self.environment is None else "paused"
        since = self.since.strftime("%Y-%m-%d %H:%M UTC")
        return f"{what} by {self.by} since {since}: {self.reason}"

    def is_forgotten(self, now: datetime) -> bool:
        """Whether it is time to tell again that it is still there."""
        return now - self.told >= TOLD_AGAIN_AFTER
