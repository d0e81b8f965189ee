"""The subresources that are calls: log, binding and eviction of Pods, tokens."""

from __future__ import annotations

from typing import cast

from gitops_wf.sandbox import binding
from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.controllers.logs import log_of
from gitops_wf.sandbox.http.answers import Answer, structured
from gitops_wf.sandbox.http.bodies import decode_patch
from gitops_wf.sandbox.http.negotiation import PLAIN
from gitops_wf.sandbox.http.options import first
from gitops_wf.sandbox.http.paths import Target
from gitops_wf.sandbox.http.request import Request
from gitops_wf.sandbox.http.tokens import AccountTokens
from gitops_wf.sandbox.objects import (
    Manifest,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    revision_of,
)
from gitops_wf.sandbox.selectors import selects
from gitops_wf.sandbox.statuses import (
    ApiError,
    bad_request,
    method_not_allowed,
    resource_not_found,
)

_CALLS = {
    ("pods", "log"),
    ("pods", "binding"),
    ("pods", "eviction"),
    ("serviceaccounts", "token"),
}


def answer(
    api: ObjectApi, tokens: AccountTokens, request: Request, target: Target
) -> Answer | None:
    """The answer to such a call; None where the request is none."""
    if (target.resource.qualified, target.subresource) not in _CALLS:
        return None
    space, name = target.namespace or "", target.name
    if target.subresource == "log":
        if request.method != "GET":
            raise method_not_allowed()
        return _log(api.get(target.resource, space, name), request)
    if request.method != "POST":
        raise method_not_allowed()
    body = cast("Manifest", decode_patch(request.body or b"{}"))
    match target.subresource:
        case "binding":
            return bind(api, space, name, body, request)
        case "eviction":
            _check_budgets(api, api.get(target.resource, space, name))
            api.delete(target.resource, space, name)
            return structured(201, _done(), PLAIN)
        case "token":
            account = api.get(target.resource, space, name)
            return structured(201, tokens.issue(account, body, api.now()), PLAIN)
        case _:
            raise resource_not_found()


def _check_budgets(api: ObjectApi, pod: Manifest) -> None:
    """ApiError 429 where a PodDisruptionBudget does not let the Pod go."""
    space = namespace_of(pod)
    for budget in api.storage.list("poddisruptionbudgets.policy", space):
        status = budget.get("status") or {}
        if not selects((budget.get("spec") or {}).get("selector"), labels_of(pod)):
            continue
        if status.get("disruptionsAllowed", 0) > 0:
            continue
        text = (
            f"The disruption budget {name_of(budget)} needs "
            f"{status.get('desiredHealthy', 0)} healthy pods and has "
            f"{status.get('currentHealthy', 0)} currently"
        )
        raise ApiError(
            429,
            "Cannot evict pod as it would violate the pod's disruption budget.",
            reason="TooManyRequests",
            details={"causes": [{"reason": "DisruptionBudget", "message": text}]},
        )


def _done() -> Manifest:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }


def bind(
    api: ObjectApi, namespace: str, name: str, body: Manifest, request: Request
) -> Answer:
    """Assign a Pod to a node, as a scheduler does."""
    node = (body.get("target") or {}).get("name") or ""
    stored = binding.bind(api, namespace, name, node)
    done = structured(201, _done(), PLAIN)
    done.revision = revision_of(stored)
    done.warnings = request.warnings
    return done


def _log(pod: Manifest, request: Request) -> Answer:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    names = [
        one.get("name")
        for group in ("initContainers", "containers")
        for one in spec.get(group) or []
    ]
    containers = [one.get("name") for one in spec.get("containers") or []]
    asked = first(request.query, "container") or (
        containers[0] if len(containers) == 1 else ""
    )
    name = metadata(pod).get("name")
    if not asked:
        listed = " ".join(str(one) for one in containers)
        raise bad_request(
            f"a container name must be specified for pod {name}, choose one of: "
            f"[{listed}]"
        )
    if asked not in names:
        raise bad_request(f"container {asked} is not valid for pod {name}")
    if not spec.get("nodeName"):
        return Answer(204, b"", "")
    for one in status.get("containerStatuses") or []:
        waiting = (one.get("state") or {}).get("waiting")
        if one.get("name") == asked and waiting is not None:
            raise bad_request(
                f'container "{asked}" in pod "{name}" is waiting to start: '
                f"{_waiting(waiting)}"
            )
    shown = log_of(pod, asked).splitlines()
    tail = first(request.query, "tailLines")
    if tail.isdigit():
        shown = shown[len(shown) - min(int(tail), len(shown)) :]
    return Answer(200, "".join(f"{one}\n" for one in shown).encode(), "text/plain")


def _waiting(waiting: Manifest) -> str:
    reason = waiting.get("reason") or "ContainerCreating"
    if reason in ("ImagePullBackOff", "ErrImagePull"):
        return "trying and failing to pull image"
    return str(reason)
