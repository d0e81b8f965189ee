"""Rules of CronJobs."""

from __future__ import annotations

import re
import zoneinfo

from gitops_wf.sandbox.objects import Manifest, metadata
from gitops_wf.sandbox.statuses import (
    StatusCause,
    invalid_value,
    required,
    unsupported,
)

# A Job's name is the CronJob's with eleven characters more, and 63 at most.
_LONGEST_NAME = 52
_POLICIES = ["Allow", "Forbid", "Replace"]
_FIELD = re.compile(
    r"(\*|\?|[0-9a-z]+(-[0-9a-z]+)?)(/\d+)?(,(\*|[0-9a-z]+(-[0-9a-z]+)?)(/\d+)?)*",
    re.IGNORECASE,
)


def cron_job(manifest: Manifest) -> list[StatusCause]:
    """What is wrong with a CronJob."""
    spec = manifest.get("spec") or {}
    schedule = spec.get("schedule") or ""
    causes = []
    if not schedule:
        causes.append(required("spec.schedule"))
    elif problem := _schedule_problem(schedule):
        causes.append(invalid_value("spec.schedule", f'"{schedule}"', problem))
    zone = spec.get("timeZone")
    if zone is not None and zone not in zoneinfo.available_timezones():
        text = f"unknown time zone {zone}"
        causes.append(invalid_value("spec.timeZone", f'"{zone}"', text))
    policy = spec.get("concurrencyPolicy", "Allow")
    if policy not in _POLICIES:
        causes.append(unsupported("spec.concurrencyPolicy", f'"{policy}"', _POLICIES))
    name = metadata(manifest).get("name") or ""
    if len(name) > _LONGEST_NAME:
        text = f"must be no more than {_LONGEST_NAME} characters"
        causes.append(invalid_value("metadata.name", f'"{name}"', text))
    return causes


def _schedule_problem(schedule: str) -> str:
    if schedule.startswith("@"):
        return ""
    fields = schedule.split()
    if len(fields) != 5:
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    wrong = next((one for one in fields if not _FIELD.fullmatch(one)), "")
    return f"failed to parse int from {wrong}" if wrong else ""
