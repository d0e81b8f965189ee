"""Whether an API server answers, by what came of each request; pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gitops_wf.core.backoff import backoff

HANGS_AFTER = timedelta(seconds=5)
"""A request that waits for longer, while nobody else has an answer, hangs."""

AWAY_AFTER = timedelta(seconds=30)
"""How long nothing may be answered before that is told: a restart pages nobody."""

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=1)
"""A probe a minute costs nothing, and what waits goes on soon after the end of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What is known of one API server; a refusal is an answer, too.

    ``answered`` is when it last answered. ``asked`` is when the first request began
    that has had none since, ``since`` when the first one did that failed for it, and
    ``failed`` when the last one failed, with ``error``; ``hung`` says that this was by
    waiting. From ``next`` on it is worth another try.
    """

    answered: datetime | None = None
    asked: datetime | None = None
    since: datetime | None = None
    failed: datetime | None = None
    error: str = ""
    hung: bool = False
    failures: int = 0
    next: datetime | None = None

    def begun(self, now: datetime) -> "Reach":
        """Return it with a request under way."""
        return self if self.asked else replace(self, asked=now)

    def well(self, now: datetime) -> "Reach":
        """Return it after an answer, whatever that said."""
        return Reach(answered=now)

    def lost(
        self, error: str, *, begun: datetime, hung: bool, now: datetime
    ) -> "Reach":
        """Return it after a request that began then and was not answered.

        Of several that fail together one counts.
        """
        is_anew = self.next is None or now >= self.next
        failures = self.failures + 1 if is_anew else self.failures
        pause = backoff(failures, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        return replace(
            self,
            asked=None,
            since=self.since or max(begun, self.answered or begun),
            failed=now,
            error=error,
            hung=hung,
            failures=failures,
            next=now + pause if is_anew else self.next,
        )

    def hangs(self, now: datetime) -> bool:
        """Whether to ask is to wait: so few should."""
        return self.hung or self._is_waited_for(now)

    def is_failing(self, now: datetime) -> bool:
        """Whether what was asked last has had no answer."""
        return self.failures > 0 or self._is_waited_for(now)

    def away_since(self, now: datetime) -> datetime | None:
        """Return since when it has not answered, where that is long enough to tell."""
        first = self.since or self.asked
        last = now if self._is_waited_for(now) else self.failed
        if first is None or last is None or last - first < AWAY_AFTER:
            return None
        return first

    def _is_waited_for(self, now: datetime) -> bool:
        return self.asked is not None and now - self.asked >= HANGS_AFTER
