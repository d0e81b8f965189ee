"""The Job controller: Pods until enough succeeded or too many failed.

As in Kubernetes, a Pod that ended is first noted in `uncountedTerminatedPods`, then
loses its tracking finalizer, and only then is counted; so no Pod is counted twice
whenever the sandbox is killed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.sandbox.controllers.job_verdict import (
    Verdict,
    deadline_of,
    given,
    judge,
)
from gitops_wf.sandbox.controllers.pod_of_template import first_to_go, pod_of
from gitops_wf.sandbox.controllers.reading import (
    controller_of,
    find_condition,
    format_time,
    is_active,
    is_ready,
    is_true,
    parse_time,
    phase_of,
)
from gitops_wf.sandbox.controllers.work import (
    NOTHING,
    Emit,
    Outcome,
    Pace,
    Situation,
    Write,
    create,
    delete,
    update,
    update_status,
)
from gitops_wf.sandbox.objects import Manifest, copy, finalizers_of, is_deleting, uid_of

COMPONENT = "job-controller"
TRACKING = "batch.kubernetes.io/job-tracking"
_LONGEST_PAUSE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pods:
    """The Pods of a Job, by how far they are."""

    active: list[Manifest]
    tracked: list[Manifest]
    terminating: list[Manifest]


def reconcile(situation: Situation, pace: Pace) -> Outcome:
    """The next step of a Job; `owned` are its Pods."""
    job = situation.object
    if is_deleting(job):
        return NOTHING
    mine = [
        pod
        for pod in situation.owned
        if (controller_of(pod) or {}).get("uid") == uid_of(job)
    ]
    pods = _Pods(
        active=[pod for pod in mine if is_active(pod)],
        tracked=[pod for pod in mine if TRACKING in finalizers_of(pod)],
        terminating=[pod for pod in mine if _is_terminating(pod)],
    )
    conditions = (job.get("status") or {}).get("conditions")
    if is_true(conditions, "Complete") or is_true(conditions, "Failed"):
        return _after_the_end(situation, pods)
    return _advance(situation, pods, pace)


def _is_terminating(pod: Manifest) -> bool:
    return is_deleting(pod) and phase_of(pod) not in {"Succeeded", "Failed"}


def _event(job: Manifest, reason: str, message: str, *, warning: bool = False) -> Emit:
    return Emit(
        about=job,
        reason=reason,
        message=message,
        component=COMPONENT,
        warning=warning,
    )


def _untracked(pod: Manifest) -> Write:
    changed = copy(pod)
    left = [one for one in finalizers_of(pod) if one != TRACKING]
    changed["metadata"].pop("finalizers")
    if left:
        changed["metadata"]["finalizers"] = left
    return update("pods", changed)


def release(pod: Manifest, job: Manifest | None) -> Outcome:
    """Take the tracking finalizer off a Pod whose Job is gone or going."""
    if TRACKING not in finalizers_of(pod) or (job is not None and not is_deleting(job)):
        return NOTHING
    return Outcome(writes=(_untracked(pod),))


def _after_the_end(situation: Situation, pods: _Pods) -> Outcome:
    job = situation.object
    writes: list[Write] = [_untracked(pod) for pod in pods.tracked]
    seconds = job["spec"].get("ttlSecondsAfterFinished")
    if seconds is None:
        return Outcome(writes=tuple(writes))
    conditions = job["status"]["conditions"]
    ended = find_condition(conditions, "Complete") or find_condition(
        conditions, "Failed"
    )
    since = parse_time(ended["lastTransitionTime"]) or situation.now
    due = since + timedelta(seconds=seconds)
    if due <= situation.now:
        return Outcome(writes=(*writes, delete("jobs.batch", job)))
    return Outcome(writes=tuple(writes), due=due)


def _advance(situation: Situation, pods: _Pods, pace: Pace) -> Outcome:
    job, now = situation.object, situation.now
    status = copy(job.get("status") or {})
    noted = status.get("uncountedTerminatedPods") or {}
    writes: list[Write | Emit] = []
    if noted:
        # Counted in this very write; the Pods lose their finalizer just before it.
        noted_uids = {uid for uids in noted.values() for uid in uids}
        writes += [_untracked(pod) for pod in pods.tracked if uid_of(pod) in noted_uids]
        for outcome in ("succeeded", "failed"):
            count = (status.get(outcome) or 0) + len(noted.get(outcome, []))
            if count:
                status[outcome] = count
        tracked = [pod for pod in pods.tracked if uid_of(pod) not in noted_uids]
    else:
        tracked = pods.tracked
    status["uncountedTerminatedPods"] = _ended_pods(tracked)
    suspended = _suspension(job, status, now)
    if suspended is not None:
        writes.append(suspended)
    verdict = given(job) or _new_verdict(job, status, pods, now)
    due = None if verdict else deadline_of(job | {"status": status})
    active = len(pods.active)
    if verdict is not None or job["spec"].get("suspend"):
        writes += _deletions(job, pods.active)
        active = 0
    else:
        made, wait = _wanted_pods(situation, status, pods, pace)
        writes += made
        active += sum(isinstance(one, Write) for one in made)
        due = min((one for one in (due, wait) if one is not None), default=None)
    ended = _conclude(job, status, pods, verdict, now)
    _count(status, pods, active)
    if status != job.get("status"):
        writes.append(update_status("jobs.batch", job | {"status": status}))
    return Outcome(writes=(*writes, *ended), due=None if ended else due)


def _ended_pods(tracked: Sequence[Manifest]) -> dict[str, list[str]]:
    """The Pods that ended and are not counted; a deleted one counts as failed."""
    succeeded = [uid_of(pod) for pod in tracked if phase_of(pod) == "Succeeded"]
    failed = [
        uid_of(pod)
        for pod in tracked
        if phase_of(pod) == "Failed" or _is_terminating(pod)
    ]
    noted = {"succeeded": succeeded, "failed": failed}
    return {key: uids for key, uids in noted.items() if uids}


def _suspension(job: Manifest, status: dict[str, Any], now: datetime) -> Emit | None:
    """Note in the status that the Job was suspended or resumed, or has started."""
    conditions = status.get("conditions") or []
    was = is_true(conditions, "Suspended")
    if not job["spec"].get("suspend"):
        if was or "startTime" not in status:
            status["startTime"] = format_time(now)
        if not was:
            return None
        text = ("False", "JobResumed", "Job resumed", "Resumed")
    else:
        status.pop("startTime", None)
        if was:
            return None
        text = ("True", "JobSuspended", "Job suspended", "Suspended")
    value, reason, message, event = text
    kept = [one for one in conditions if one["type"] != "Suspended"]
    status["conditions"] = [
        _condition("Suspended", value, reason, message, now),
        *kept,
    ]
    return _event(job, event, message)


def _condition(
    kind: str, value: str, reason: str, message: str, now: datetime
) -> dict[str, Any]:
    return {
        "type": kind,
        "status": value,
        "lastProbeTime": format_time(now),
        "lastTransitionTime": format_time(now),
        "reason": reason,
        "message": message,
    }


def _new_verdict(
    job: Manifest, status: Mapping[str, Any], pods: _Pods, now: datetime
) -> Verdict | None:
    noted = status["uncountedTerminatedPods"]
    succeeded = status.get("succeeded", 0) + len(noted.get("succeeded", []))
    failed = status.get("failed", 0) + len(noted.get("failed", []))
    if job["spec"].get("suspend"):
        return None
    timed = job | {"status": status}
    return judge(timed, pods.active, succeeded, failed, now)


def _deletions(job: Manifest, active: Sequence[Manifest]) -> list[Write]:
    gone = _event(job, "SuccessfulDelete", "Deleted pod: {name}")
    return [delete("pods", pod, event=gone) for pod in active]


def _wanted_pods(
    situation: Situation, status: Mapping[str, Any], pods: _Pods, pace: Pace
) -> tuple[list[Write | Emit], datetime | None]:
    """Creates or deletes that bring the number of active Pods to what is wanted."""
    job, now = situation.object, situation.now
    spec = job["spec"]
    noted = status["uncountedTerminatedPods"]
    succeeded = status.get("succeeded", 0) + len(noted.get("succeeded", []))
    wanted = spec.get("parallelism", 1)
    if spec.get("completions") is not None:
        wanted = min(wanted, spec["completions"] - succeeded)
    elif succeeded:
        wanted = len(pods.active)
    if len(pods.active) > wanted:
        surplus = first_to_go(pods.active)[: len(pods.active) - wanted]
        return list(_deletions(job, surplus)), None
    missing = wanted - len(pods.active)
    if missing <= 0 or noted:
        return [], None
    if situation.failure:
        text = f"Error creating: {situation.failure}"
        again = now + timedelta(seconds=min(2**situation.failures, 60))
        return [_event(job, "FailedCreate", text, warning=True)], again
    failed = status.get("failed", 0)
    if failed:
        pause = min(pace.delay * 2 ** min(failed, 10), _LONGEST_PAUSE)
        if situation.since + pause > now:
            return [], situation.since + pause
    pod = pod_of(job, "batch/v1", "Job")
    pod["metadata"]["finalizers"] = [TRACKING]
    made = _event(job, "SuccessfulCreate", "Created pod: {name}")
    return [create("pods", pod, made)] * missing, None


def _conclude(
    job: Manifest,
    status: dict[str, Any],
    pods: _Pods,
    verdict: Verdict | None,
    now: datetime,
) -> list[Emit]:
    """Put the verdict into the status; the Events of the end, if this is it."""
    if verdict is None:
        return []
    conditions = list(status.get("conditions") or [])
    told = (verdict.reason, verdict.message, now)
    if find_condition(conditions, verdict.interim) is None:
        conditions.append(_condition(verdict.interim, "True", *told))
        status["conditions"] = conditions
        return []
    waits = status["uncountedTerminatedPods"] or pods.active or pods.terminating
    if waits:
        return []
    conditions.append(_condition(verdict.final, "True", *told))
    status["conditions"] = conditions
    if verdict.succeeded:
        status["completionTime"] = format_time(now)
        return [_event(job, "Completed", "Job completed")]
    return [_event(job, verdict.reason, verdict.message, warning=True)]


def _count(status: dict[str, Any], pods: _Pods, active: int) -> None:
    status.pop("active", None)
    if active:
        status["active"] = active
    status["ready"] = sum(is_ready(pod) for pod in pods.active) if active else 0
    status["terminating"] = len(pods.terminating)
