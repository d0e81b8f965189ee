"""Admission webhooks: who is asked about a write, and what the answers make of it.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_wf.sandbox.asking import Call
from gitops_wf.sandbox.conversion import from_stored, to_stored
from gitops_wf.sandbox.fields.errors import FieldError
from gitops_wf.sandbox.fields.patch import json_patch
from gitops_wf.sandbox.fields.structural import program
from gitops_wf.sandbox.objects import Manifest, labels_of, name_of
from gitops_wf.sandbox.resources import Resource, ResourceTable
from gitops_wf.sandbox.selectors import selects
from gitops_wf.sandbox.statuses import ApiError, bad_request, internal_error
from gitops_wf.sandbox.storage import Storage
from gitops_wf.sandbox.webhook_client import CallFailed, call

_GROUP = "admissionregistration.k8s.io"
_VALIDATING = f"validatingwebhookconfigurations.{_GROUP}"
_MUTATING = f"mutatingwebhookconfigurations.{_GROUP}"
_SECONDS = 10
_QUIET = frozenset({"None", "NoneOnDryRun"})


@dataclass(frozen=True, slots=True)
class _Match:
    """A webhook to ask, in the version of the resource that it wants to see."""

    hook: Mapping[str, Any]
    resource: Resource


class Webhooks:
    """Asks the webhooks that are registered in a storage. Call without its lock."""

    def __init__(self, storage: Storage, table: ResourceTable) -> None:
        self._storage, self._table = storage, table

    @property
    def are_registered(self) -> bool:
        """Whether there are any."""
        return any(self._storage.list(kind) for kind in (_MUTATING, _VALIDATING))

    def concern(self, asked: Call) -> bool:
        """Whether one of them may have to be asked, whatever the object."""
        return any(
            self._seen_as(hook, asked) is not None
            for kind in (_MUTATING, _VALIDATING)
            for hook in self._hooks(kind, asked)
        )

    def mutate(
        self,
        asked: Call,
        new: Manifest,
        old: Manifest | None,
        complete: Callable[[Manifest], Manifest],
    ) -> Manifest:
        """The object as the mutating webhooks leave it; ApiError where one says no.

        `complete` gives what a webhook changed its defaults.
        """
        for match in self._matches(_MUTATING, asked, new, old):
            response = self._ask(match, asked, new, old)
            patch = (response or {}).get("patch")
            if patch:
                new = complete(self._patched(match, asked, new, patch))
        return new

    def validate(self, asked: Call, new: Manifest | None, old: Manifest | None) -> None:
        """ApiError where a validating webhook says no, or cannot be asked."""
        for match in self._matches(_VALIDATING, asked, new, old):
            self._ask(match, asked, new, old)

    # Who is asked

    def _hooks(self, kind: str, asked: Call) -> Iterator[Mapping[str, Any]]:
        if asked.resource.group == _GROUP:
            # A webhook could else lock out the mend of itself.
            return
        for configuration in self._storage.list(kind):
            yield from configuration.get("webhooks") or ()

    def _matches(
        self, kind: str, asked: Call, new: Manifest | None, old: Manifest | None
    ) -> Iterator[_Match]:
        for hook in self._hooks(kind, asked):
            seen_as = self._seen_as(hook, asked)
            if (
                seen_as is not None
                and self._in_namespace(hook, asked, new)
                and any(
                    selects(hook.get("objectSelector"), labels_of(one))
                    for one in (new, old)
                    if one is not None
                )
                and self._meets_conditions(hook, asked, new, old)
            ):
                yield _Match(hook, seen_as)

    def _seen_as(self, hook: Mapping[str, Any], asked: Call) -> Resource | None:
        """The resource in the version that a rule of the webhook names, or None."""
        resource = asked.resource
        versions = [resource]
        if hook.get("matchPolicy", "Equivalent") == "Equivalent":
            versions += self._table.other_versions(resource)
        for rule in hook.get("rules") or ():
            if (
                _holds(rule, "operations", asked.operation)
                and _holds(rule, "apiGroups", resource.group)
                and _holds_resource(rule, asked)
                and _in_scope(rule, resource)
            ):
                for one in versions:
                    if _holds(rule, "apiVersions", one.version):
                        return one
        return None

    def _in_namespace(
        self, hook: Mapping[str, Any], asked: Call, new: Manifest | None
    ) -> bool:
        selector = hook.get("namespaceSelector")
        if asked.resource.qualified == "namespaces":
            space = new or self._storage.get("namespaces", "", asked.name)
        elif not asked.resource.namespaced:
            return True
        else:
            space = self._storage.get("namespaces", "", asked.namespace)
        return selects(selector, labels_of(space or {}))

    def _meets_conditions(
        self,
        hook: Mapping[str, Any],
        asked: Call,
        new: Manifest | None,
        old: Manifest | None,
    ) -> bool:
        values = {
            "object": new,
            "oldObject": old,
            "request": _request(asked, asked.resource, new, old, ""),
        }
        for condition in hook.get("matchConditions") or ():
            try:
                if program(condition["expression"]).execute(values) is not True:
                    return False
            except Exception as error:
                # The library raises whatever the expression led to.
                if hook.get("failurePolicy", "Fail") == "Ignore":
                    return False
                text = f"failed evaluating match conditions: {error}"
                raise _failed(hook, text) from error
        return True

    # What they say

    def _ask(
        self, match: _Match, asked: Call, new: Manifest | None, old: Manifest | None
    ) -> Mapping[str, Any] | None:
        hook, name = match.hook, match.hook["name"]
        if asked.dry_run and hook.get("sideEffects") not in _QUIET:
            raise bad_request(f'admission webhook "{name}" does not support dry run')
        request = _request(
            asked,
            match.resource,
            _in_version(match.resource, asked.resource, new),
            _in_version(match.resource, asked.resource, old),
            str(uuid.uuid4()),
        )
        review = {
            "kind": "AdmissionReview",
            "apiVersion": "admission.k8s.io/v1",
            "request": request,
        }
        seconds = hook.get("timeoutSeconds") or _SECONDS
        try:
            response = call(hook["clientConfig"], review, seconds, self._storage)
        except CallFailed as failure:
            if hook.get("failurePolicy", "Fail") == "Ignore":
                return None
            raise _failed(hook, str(failure)) from failure
        for warning in response.get("warnings") or ():
            asked.warn(str(warning))
        if not response.get("allowed"):
            raise _denied(name, response.get("status") or {})
        return response

    def _patched(
        self, match: _Match, asked: Call, new: Manifest, patch: Any
    ) -> Manifest:
        try:
            operations = json.loads(base64.b64decode(patch))
            seen = _in_version(match.resource, asked.resource, new)
            changed = json_patch(seen or {}, operations)
        except (binascii.Error, ValueError, FieldError) as error:
            raise internal_error(str(error)) from error
        stored = to_stored(match.resource, changed)
        return from_stored(asked.resource, stored)


def _holds(rule: Mapping[str, Any], key: str, value: str) -> bool:
    values = rule.get(key) or ()
    return "*" in values or value in values


def _holds_resource(rule: Mapping[str, Any], asked: Call) -> bool:
    plural, sub = asked.resource.plural, asked.subresource
    names = {f"{plural}/{sub}", f"{plural}/*", f"*/{sub}", "*/*"}
    if not sub:
        names = {plural, "*", f"{plural}/*", "*/*"}
    return not names.isdisjoint(rule.get("resources") or ())


def _in_scope(rule: Mapping[str, Any], resource: Resource) -> bool:
    wanted = rule.get("scope") or "*"
    # A namespace itself is of the cluster.
    return wanted == "*" or (wanted == "Namespaced") is resource.namespaced


def _in_version(
    wanted: Resource, given: Resource, manifest: Manifest | None
) -> Manifest | None:
    if manifest is None or wanted is given:
        return manifest
    return from_stored(wanted, to_stored(given, manifest))


def _request(
    asked: Call,
    resource: Resource,
    new: Manifest | None,
    old: Manifest | None,
    uid: str,
) -> dict[str, Any]:
    request: dict[str, Any] = {
        "uid": uid,
        "kind": _kind(resource),
        "resource": _plural(resource),
        "requestKind": _kind(asked.resource),
        "requestResource": _plural(asked.resource),
        "operation": asked.operation,
        "userInfo": asked.user.info(),
        "object": new,
        "oldObject": old,
        "dryRun": asked.dry_run,
        "options": dict(asked.options) or None,
    }
    if asked.subresource:
        request["subResource"] = request["requestSubResource"] = asked.subresource
    name = asked.name or name_of(new or {})
    if name:
        request["name"] = name
    if asked.namespace:
        request["namespace"] = asked.namespace
    return request


def _kind(resource: Resource) -> dict[str, str]:
    return {
        "group": resource.group,
        "version": resource.version,
        "kind": resource.kind,
    }


def _plural(resource: Resource) -> dict[str, str]:
    return {
        "group": resource.group,
        "version": resource.version,
        "resource": resource.plural,
    }


def _failed(hook: Mapping[str, Any], why: str) -> ApiError:
    return internal_error(f'failed calling webhook "{hook["name"]}": {why}')


def _denied(name: str, status: Mapping[str, Any]) -> ApiError:
    denied = f'admission webhook "{name}" denied the request'
    why = status.get("message") or status.get("reason")
    code = status.get("code") or 0
    return ApiError(
        max(code, 400),
        f"{denied}: {why}" if why else f"{denied} without explanation",
        reason=str(status.get("reason") or ""),
        details=status.get("details"),
    )
