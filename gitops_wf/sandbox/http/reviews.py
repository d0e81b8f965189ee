"""Requests that store nothing: access and token reviews. Here everyone may do all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gitops_wf.sandbox.clocks import stamp
from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import ApiError, invalid, invalid_value

REVIEWS = frozenset(
    {
        "localsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectreviews.authentication.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
        "subjectaccessreviews.authorization.k8s.io",
        "tokenreviews.authentication.k8s.io",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who asks, after impersonation."""

    name: str = "admin"
    uid: str = "admin-uid"
    groups: tuple[str, ...] = ("system:masters", "system:authenticated")

    def info(self) -> dict[str, Any]:
        """A `userInfo`."""
        found: dict[str, Any] = {"username": self.name}
        if self.uid:
            found["uid"] = self.uid
        found["groups"] = list(self.groups)
        return found


def review(
    resource: Resource, tracked: Manifest, user: User, *, now: datetime
) -> Manifest:
    """The answer to a review, given as it would be stored; ApiError 422."""
    answer: Manifest = {**tracked}
    answer.pop("status", None)
    match resource.kind:
        case "SelfSubjectReview":
            answer["metadata"]["creationTimestamp"] = stamp(now)
            return {**answer, "status": {"userInfo": user.info()}}
        case "SelfSubjectRulesReview":
            everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            status = {
                "resourceRules": [everything],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": False,
            }
            return {**answer, "spec": {}, "status": status}
        case "TokenReview":
            status = {"user": {}, "error": "the sandbox reviews no tokens"}
            return {**answer, "status": status}
        case _:
            spec = tracked.get("spec") or {}
            if bool(spec.get("resourceAttributes")) is bool(
                spec.get("nonResourceAttributes")
            ):
                raise _asks_nothing(resource)
            return {**answer, "status": {"allowed": True}}


def _asks_nothing(resource: Resource) -> ApiError:
    return invalid(
        "",
        "",
        [
            invalid_value(
                "spec.resourceAttributes",
                "null",
                "exactly one of nonResourceAttributes or resourceAttributes must be "
                "specified",
            )
        ],
        group=resource.group,
    )
