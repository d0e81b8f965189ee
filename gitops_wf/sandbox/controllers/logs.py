"""What the containers of a Pod have printed."""

from __future__ import annotations

from gitops_wf.sandbox.controllers.faults import Fault, fault_of
from gitops_wf.sandbox.controllers.reading import annotations_of
from gitops_wf.sandbox.objects import Manifest

LOG = "sandbox.gitops-wf.io/log"


def log_of(pod: Manifest, container: str) -> str:
    """The log of a container that has started; ends with a newline where it has any.

    The annotation `sandbox.gitops-wf.io/log` on the Pod is the log of all of its
    containers; without it there are two lines, and an error where it failed.
    """
    asked = annotations_of(pod).get(LOG)
    if asked is not None:
        return asked if not asked or asked.endswith("\n") else f"{asked}\n"
    lines = ["line 1", "line 2"]
    for one in pod["spec"]["containers"]:
        if one["name"] == container:
            match fault_of(pod, one):
                case Fault.CRASH | Fault.EXIT:
                    lines.append("error: the sandbox was asked to fail; exit code 1")
                case Fault.NOT_READY:
                    lines.append("error: the sandbox was asked never to be ready")
                case Fault.PULL:
                    lines = []
                case _:
                    pass
    return "".join(f"{line}\n" for line in lines)
