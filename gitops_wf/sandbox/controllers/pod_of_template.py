"""Pods made from a template, and which of them go first when there are too many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitops_wf.sandbox.controllers.reading import (
    controlled_by,
    controller_of,
    created_at,
    is_ready,
    owner_references,
    phase_of,
)
from gitops_wf.sandbox.controllers.work import Write, update
from gitops_wf.sandbox.objects import (
    Manifest,
    copy,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from gitops_wf.sandbox.selectors import selects

_PHASES = {"Pending": 0, "": 1, "Running": 2}


def pod_of(owner: Manifest, api_version: str, kind: str) -> Manifest:
    """A Pod of the owner's template, named by the API server after the owner."""
    template = owner["spec"]["template"]
    meta: dict[str, Any] = {
        "generateName": f"{name_of(owner)}-",
        "namespace": namespace_of(owner),
        "ownerReferences": [controlled_by(owner, api_version, kind)],
    }
    given = template.get("metadata") or {}
    for key in ("labels", "annotations", "finalizers"):
        if given.get(key):
            meta[key] = copy(given[key])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": copy(template["spec"]),
    }


def claim(
    owner: Manifest, api_version: str, kind: str, pods: Sequence[Manifest]
) -> tuple[list[Manifest], list[Write]]:
    """The owner's own Pods, and the adoption of matching ones without an owner."""
    mine, adoptions = [], []
    for pod in pods:
        controller = controller_of(pod)
        if controller is not None:
            if controller["uid"] == uid_of(owner):
                mine.append(pod)
        elif (
            not is_deleting(pod)
            and not is_deleting(owner)
            and phase_of(pod) not in {"Succeeded", "Failed"}
            and selects(owner["spec"]["selector"], labels_of(pod))
        ):
            adopted = copy(pod)
            adopted["metadata"]["ownerReferences"] = [
                *owner_references(pod),
                controlled_by(owner, api_version, kind),
            ]
            adoptions.append(update("pods", adopted))
    return mine, adoptions


def first_to_go(pods: Sequence[Manifest]) -> list[Manifest]:
    """Pods in the order of deletion: unassigned, pending, not ready, youngest."""

    def rank(pod: Manifest) -> tuple[bool, int, bool, float]:
        return (
            bool(pod["spec"].get("nodeName")),
            _PHASES.get(phase_of(pod), 3),
            is_ready(pod),
            -created_at(pod).timestamp(),
        )

    return sorted(pods, key=rank)
