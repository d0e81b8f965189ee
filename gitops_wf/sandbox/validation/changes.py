"""Rules of what may not change once an object is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gitops_wf.sandbox.objects import Manifest, copy, metadata
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import StatusCause, forbidden_field, invalid_value
from gitops_wf.sandbox.validation.texts import go_json
from gitops_wf.sandbox.validation.workloads import job_labels

_IMMUTABLE = "field is immutable"
_STATEFUL_SET = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
    "'template', 'updateStrategy', 'revisionHistoryLimit', "
    "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_STATEFUL_SET_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_POD = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
    "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
    "(allow it to be set to 1 if it was previously negative)"
)
_CLAIM = (
    "spec is immutable after creation except resources.requests and "
    "volumeAttributesClassName for bound claims"
)


def changes(resource: Resource, new: Manifest, old: Manifest) -> list[StatusCause]:
    """What this change may not change."""
    rule = _RULES.get(resource.qualified)
    return rule(new, old) if rule else []


def _spec(manifest: Manifest) -> dict[str, Any]:
    return manifest.get("spec") or {}


def _same(new: Manifest, old: Manifest, key: str) -> list[StatusCause]:
    value = _spec(new).get(key)
    if value == _spec(old).get(key):
        return []
    return [invalid_value(f"spec.{key}", go_json(value), _IMMUTABLE)]


def _selector(new: Manifest, old: Manifest) -> list[StatusCause]:
    return _same(new, old, "selector")


def _stateful_set(new: Manifest, old: Manifest) -> list[StatusCause]:
    def fixed(manifest: Manifest) -> dict[str, Any]:
        return {
            key: value
            for key, value in _spec(manifest).items()
            if key not in _STATEFUL_SET_MUTABLE
        }

    if fixed(new) == fixed(old):
        return []
    return [forbidden_field("spec", _STATEFUL_SET)]


def _job(new: Manifest, old: Manifest) -> list[StatusCause]:
    # An update checks the spec a second time.
    causes = job_labels(new)
    indexed = _spec(new).get("completionMode") == "Indexed"
    if not indexed:
        causes += _same(new, old, "completions")
    causes += _same(new, old, "selector")
    if _spec(new).get("template") != _spec(old).get("template") and not (
        _spec(old).get("suspend")
        and "startTime" not in (old.get("status") or {})
        and _only_scheduling_differs(new, old)
    ):
        causes.append(
            invalid_value(
                "spec.template", go_json(_spec(new).get("template")), _IMMUTABLE
            )
        )
    causes += _same(new, old, "completionMode")
    return causes


def _only_scheduling_differs(new: Manifest, old: Manifest) -> bool:
    """Whether a suspended Job changed only what may change before it starts."""

    def rest(manifest: Manifest) -> Manifest:
        template = copy(_spec(manifest).get("template") or {})
        for key in ("labels", "annotations"):
            metadata(template).pop(key, None)
        for key in ("affinity", "nodeSelector", "tolerations", "schedulingGates"):
            (template.get("spec") or {}).pop(key, None)
        return template

    return rest(new) == rest(old)


def _service(new: Manifest, old: Manifest) -> list[StatusCause]:
    before, after = _spec(old), _spec(new)
    if "ExternalName" in (before.get("type"), after.get("type")):
        return []
    had, has = before.get("clusterIPs") or [], after.get("clusterIPs") or []
    if had and has[:1] != had[:1]:
        return [
            invalid_value("spec.clusterIPs[0]", go_json(has), "may not change once set")
        ]
    return []


def _immutable_data(new: Manifest, old: Manifest) -> list[StatusCause]:
    if not old.get("immutable"):
        return []
    text = "field is immutable when `immutable` is set"
    causes = []
    if not new.get("immutable"):
        causes.append(forbidden_field("immutable", text))
    causes += [
        forbidden_field(key, text)
        for key in ("data", "binaryData")
        if (new.get(key) or {}) != (old.get(key) or {})
    ]
    return causes


def _secret(new: Manifest, old: Manifest) -> list[StatusCause]:
    causes = []
    if new.get("type") != old.get("type"):
        kind = new.get("type", "")
        causes.append(invalid_value("type", f'"{kind}"', _IMMUTABLE))
    return [*causes, *_immutable_data(new, old)]


def _pod(new: Manifest, old: Manifest) -> list[StatusCause]:
    def fixed(manifest: Manifest) -> dict[str, Any]:
        spec: dict[str, Any] = copy(_spec(manifest))
        for group in ("containers", "initContainers"):
            for container in spec.get(group) or []:
                container.pop("image", None)
        for key in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
            spec.pop(key, None)
        return spec

    if fixed(new) == fixed(old):
        return []
    return [forbidden_field("spec", _POD)]


def _claim(new: Manifest, old: Manifest) -> list[StatusCause]:
    bound = (old.get("status") or {}).get("phase") == "Bound"

    def fixed(manifest: Manifest) -> dict[str, Any]:
        spec: dict[str, Any] = copy(_spec(manifest))
        if not _spec(old).get("volumeName"):
            spec.pop("volumeName", None)
        if bound:
            (spec.get("resources") or {}).pop("requests", None)
            spec.pop("volumeAttributesClassName", None)
        return spec

    return [] if fixed(new) == fixed(old) else [forbidden_field("spec", _CLAIM)]


def _role_ref(new: Manifest, old: Manifest) -> list[StatusCause]:
    if new.get("roleRef") == old.get("roleRef"):
        return []
    given = new.get("roleRef") or {}
    # This text has the names of the Go struct's fields.
    names = {"APIGroup": "apiGroup", "Kind": "kind", "Name": "name"}
    shown = go_json({name: given.get(key, "") for name, key in names.items()})
    return [invalid_value("roleRef", shown, "cannot change roleRef")]


def _definition(new: Manifest, old: Manifest) -> list[StatusCause]:
    served = {one.get("name") for one in (new["spec"].get("versions") or [])}
    causes = _same(new, old, "scope")
    for index, name in enumerate((old.get("status") or {}).get("storedVersions") or []):
        if name not in served:
            causes.append(
                invalid_value(
                    f"status.storedVersions[{index}]",
                    f'"{name}"',
                    f"missing from spec.versions; {name} was previously a storage "
                    "version, and must remain in spec.versions until a storage "
                    f"migration ensures no data remains persisted in {name} and "
                    f"removes {name} from status.storedVersions",
                )
            )
    return causes


_RULES: dict[str, Callable[[Manifest, Manifest], list[StatusCause]]] = {
    "clusterrolebindings.rbac.authorization.k8s.io": _role_ref,
    "configmaps": _immutable_data,
    "customresourcedefinitions.apiextensions.k8s.io": _definition,
    "daemonsets.apps": _selector,
    "deployments.apps": _selector,
    "jobs.batch": _job,
    "persistentvolumeclaims": _claim,
    "pods": _pod,
    "replicasets.apps": _selector,
    "rolebindings.rbac.authorization.k8s.io": _role_ref,
    "secrets": _secret,
    "services": _service,
    "statefulsets.apps": _stateful_set,
}
