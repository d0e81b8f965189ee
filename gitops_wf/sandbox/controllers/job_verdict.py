"""Whether a Job has succeeded or failed, from its counts, Pods and clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_wf.sandbox.controllers.reading import find_condition, parse_time
from gitops_wf.sandbox.objects import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a Job ends."""

    succeeded: bool
    reason: str
    message: str

    @property
    def interim(self) -> str:
        """The condition while its Pods are still being accounted for."""
        return "SuccessCriteriaMet" if self.succeeded else "FailureTarget"

    @property
    def final(self) -> str:
        """The condition once everything is accounted for."""
        return "Complete" if self.succeeded else "Failed"


_COMPLETE = Verdict(
    succeeded=True,
    reason="CompletionsReached",
    message="Reached expected number of succeeded pods",
)
_LATE = Verdict(
    succeeded=False,
    reason="DeadlineExceeded",
    message="Job was active longer than specified deadline",
)
_BACKOFF = Verdict(
    succeeded=False,
    reason="BackoffLimitExceeded",
    message="Job has reached the specified backoff limit",
)


def given(job: Manifest) -> Verdict | None:
    """The verdict that is already in the conditions."""
    conditions = (job.get("status") or {}).get("conditions")
    for kind in ("SuccessCriteriaMet", "FailureTarget"):
        found = find_condition(conditions, kind)
        if found is not None and found["status"] == "True":
            return Verdict(
                succeeded=kind == "SuccessCriteriaMet",
                reason=found.get("reason", ""),
                message=found.get("message", ""),
            )
    return None


def judge(
    job: Manifest,
    active: Sequence[Manifest],
    succeeded: int,
    failed: int,
    now: datetime,
) -> Verdict | None:
    """The verdict on these counts; None while the Job goes on."""
    spec = job["spec"]
    limit = spec.get("backoffLimit", 6)
    if failed > limit or _restarts_exceed(spec, active, limit):
        return _BACKOFF
    due = deadline_of(job)
    if due is not None and due <= now:
        return _LATE
    completions = spec.get("completions")
    if completions is None:
        # A work queue is done when one Pod succeeded and the others have ended.
        return _COMPLETE if succeeded and not active else None
    return _COMPLETE if succeeded >= completions else None


def deadline_of(job: Manifest) -> datetime | None:
    """When activeDeadlineSeconds runs out."""
    seconds = job["spec"].get("activeDeadlineSeconds")
    start = parse_time((job.get("status") or {}).get("startTime"))
    if seconds is None or start is None:
        return None
    return start + timedelta(seconds=seconds)


def _restarts_exceed(spec: Manifest, active: Sequence[Manifest], limit: int) -> bool:
    if spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        status.get("restartCount", 0)
        for pod in active
        for status in (pod.get("status") or {}).get("containerStatuses") or []
    )
    return bool(restarts > 0 if limit == 0 else restarts >= limit)
