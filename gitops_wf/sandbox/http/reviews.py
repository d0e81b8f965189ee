"""Requests that store nothing: who one is, and what one may do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gitops_wf.sandbox.authorization import Attributes, Authorizer
from gitops_wf.sandbox.clocks import stamp
from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import ApiError, invalid, invalid_value
from gitops_wf.sandbox.users import MASTERS, User

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


def review(
    resource: Resource,
    tracked: Manifest,
    user: User,
    authorizer: Authorizer,
    *,
    now: datetime,
) -> Manifest:
    """The answer to a review, given as it would be stored; ApiError 422."""
    answer: Manifest = {**tracked}
    answer.pop("status", None)
    spec = tracked.get("spec") or {}
    match resource.kind:
        case "SelfSubjectReview":
            answer["metadata"]["creationTimestamp"] = stamp(now)
            return {**answer, "status": {"userInfo": user.info()}}
        case "SelfSubjectRulesReview":
            status = _rules(user, authorizer, str(spec.get("namespace", "")))
            return {**answer, "spec": {}, "status": status}
        case "TokenReview":
            status = {"user": {}, "error": "the sandbox reviews no tokens"}
            return {**answer, "status": status}
        case "SelfSubjectAccessReview":
            asker = user
        case _:
            asker = User(
                name=str(spec.get("user") or ""),
                groups=tuple(spec.get("groups") or ()),
            )
    decision = authorizer.decide(asker, _asked(resource, spec))
    status = {"allowed": decision.is_allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return {**answer, "status": status}


def _asked(resource: Resource, spec: dict[str, Any]) -> Attributes:
    of_resource: dict[str, str] = spec.get("resourceAttributes") or {}
    of_path: dict[str, str] = spec.get("nonResourceAttributes") or {}
    if bool(of_resource) is bool(of_path):
        raise _asks_nothing(resource)
    if of_path:
        return Attributes(verb=of_path.get("verb", ""), path=of_path.get("path", ""))
    fields = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(**{key: of_resource.get(key) or "" for key in fields})


def _rules(user: User, authorizer: Authorizer, namespace: str) -> dict[str, Any]:
    """All that the user may do in a namespace, as rules."""
    if MASTERS in user.groups:
        found: list[Any] = [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
        ]
    else:
        found = [dict(grant.rule) for grant in authorizer.grants(user, namespace)]
    return {
        "resourceRules": [one for one in found if "resources" in one],
        "nonResourceRules": [one for one in found if "nonResourceURLs" in one],
        "incomplete": False,
    }


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
