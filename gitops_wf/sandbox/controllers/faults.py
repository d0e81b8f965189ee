"""The failures that a Pod asks for, by annotation or by the name of its image.

An image name or tag that begins with one of the words asks for it: `broken:1`,
`registry.example/crash-web:2`, `nginx:broken-1`. The annotation
`sandbox.gitops-wf.io/fail` on the Pod is for all of its containers and goes first.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import Enum
from typing import Any

from gitops_wf.sandbox.controllers.reading import annotations_of
from gitops_wf.sandbox.objects import Manifest

FAIL = "sandbox.gitops-wf.io/fail"
DELAY = "sandbox.gitops-wf.io/delay"

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Fault(Enum):
    """How a container behaves."""

    NONE = ""
    PULL = "broken"
    CRASH = "crash"
    NOT_READY = "notready"
    EXIT = "fail"
    HANG = "hang"


_ANNOTATED = {
    "ImagePullBackOff": Fault.PULL,
    "ErrImagePull": Fault.PULL,
    "CrashLoopBackOff": Fault.CRASH,
    "NotReady": Fault.NOT_READY,
    "ExitCode": Fault.EXIT,
    "Hang": Fault.HANG,
}


def fault_of(pod: Manifest, container: dict[str, Any]) -> Fault:
    """What the container of the Pod is asked to do wrong."""
    asked = annotations_of(pod).get(FAIL)
    if asked:
        return _ANNOTATED.get(asked, Fault.NONE)
    image = str(container.get("image") or "").partition("@")[0]
    name, _, tag = image.rpartition("/")[2].partition(":")
    for fault in Fault:
        if fault.value and (
            name.startswith(fault.value) or tag.startswith(fault.value)
        ):
            return fault
    return Fault.NONE


def delay_of(pod: Manifest, default: timedelta) -> timedelta:
    """The Pod's own delay, as in `2s` or `1m30s`; the default where it has none."""
    return parse_duration(annotations_of(pod).get(DELAY, "")) or default


def parse_duration(text: str) -> timedelta | None:
    """A Go duration such as `300ms`, `2s`, `1m30s`; None for anything else."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return timedelta(
        seconds=sum(float(number) * _UNITS[unit] for number, unit in parts)
    )
