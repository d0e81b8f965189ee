"""Clusters that do not answer: asked ever more seldom, and told once."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from gitops_wf.core.backoff import backoff
from gitops_wf.core.identifiers import TargetName
from gitops_wf.ports.cluster import ClusterUnavailableError

log = structlog.get_logger()

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(slots=True)
class Unreachable:
    """So many environments on a target that hangs do not wait for it one by one."""

    _failures: dict[TargetName, tuple[int, datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_left_alone(self, target: TargetName, now: datetime) -> bool:
        """Whether a target is not to be asked yet."""
        with self._lock:
            return target in self._failures and now < self._failures[target][1]

    def failed(
        self, target: TargetName, error: ClusterUnavailableError, now: datetime
    ) -> None:
        """Note that it did not answer."""
        with self._lock:
            count = self._failures.get(target, (0, now))[0] + 1
            pause = backoff(count, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
            self._failures[target] = count, now + pause
        if count == 1:
            log.warning("target.unreachable", target=target, cause=str(error))

    def answered(self, target: TargetName) -> None:
        """Note that it answered."""
        with self._lock:
            known = self._failures.pop(target, None)
        if known is not None:
            log.info("target.recovered", target=target)
