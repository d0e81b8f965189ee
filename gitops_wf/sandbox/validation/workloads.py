"""Rules of Pods and of what makes them."""

from __future__ import annotations

from typing import Any

from gitops_wf.sandbox.objects import Manifest, metadata
from gitops_wf.sandbox.statuses import (
    StatusCause,
    invalid_value,
    required,
    unsupported,
)
from gitops_wf.sandbox.validation.names import LABEL_1123_TEXT, is_label, label_causes
from gitops_wf.sandbox.validation.texts import go_json

_SELECTOR_MISMATCH = "`selector` does not match template `labels`"


def workload(manifest: Manifest) -> list[StatusCause]:
    """What is wrong with a Deployment or one of its like."""
    spec = manifest.get("spec") or {}
    causes = []
    replicas = spec.get("replicas", 1)
    if isinstance(replicas, int) and replicas < 0:
        causes.append(not_negative("spec.replicas", replicas))
    selector = spec.get("selector")
    template = spec.get("template") or {}
    labels = metadata(template).get("labels")
    if not selector:
        causes.append(required("spec.selector"))
    if not selector or not selector_labels_match(selector, labels or {}):
        causes.append(
            invalid_value(
                "spec.template.metadata.labels", go_json(labels), _SELECTOR_MISMATCH
            )
        )
    causes += label_causes(labels or {}, "spec.template.labels")
    causes += pod_spec(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy", "Always")
    if policy != "Always":
        causes.append(
            unsupported("spec.template.spec.restartPolicy", f'"{policy}"', ["Always"])
        )
    return causes


def not_negative(field: str, value: int) -> StatusCause:
    """A number below zero."""
    return invalid_value(field, str(value), "must be greater than or equal to 0")


def pod_spec(spec: dict[str, Any], field: str) -> list[StatusCause]:
    """What is wrong with a Pod's spec."""
    causes = []
    containers = spec.get("containers") or []
    if not containers:
        causes.append(required(f"{field}.containers"))
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or []):
            causes += _container(container, f"{field}.{group}[{index}]", seen)
    return causes


def _container(
    container: dict[str, Any], field: str, seen: set[str]
) -> list[StatusCause]:
    causes = []
    name = container.get("name") or ""
    if not name:
        causes.append(required(f"{field}.name"))
    elif not is_label(name):
        causes.append(invalid_value(f"{field}.name", f'"{name}"', LABEL_1123_TEXT))
    elif name in seen:
        causes.append(
            StatusCause(
                field=f"{field}.name",
                reason="FieldValueDuplicate",
                message=f'Duplicate value: "{name}"',
            )
        )
    seen.add(name)
    if not container.get("image"):
        causes.append(required(f"{field}.image"))
    for index, port in enumerate(container.get("ports") or []):
        number = port.get("containerPort", 0)
        if not number:
            causes.append(required(f"{field}.ports[{index}].containerPort"))
        elif not 1 <= number <= 65535:
            causes.append(
                invalid_value(
                    f"{field}.ports[{index}].containerPort",
                    str(number),
                    "must be between 1 and 65535, inclusive",
                )
            )
    for index, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            causes.append(required(f"{field}.env[{index}].name"))
    return causes


def selector_labels_match(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector of an object selects these labels."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for term in selector.get("matchExpressions") or []:
        key, values = term.get("key"), term.get("values") or []
        match term.get("operator"):
            case "In":
                fits = labels.get(key) in values and key in labels
            case "NotIn":
                fits = key not in labels or labels[key] not in values
            case "Exists":
                fits = key in labels
            case "DoesNotExist":
                fits = key not in labels
            case _:
                fits = False
        if not fits:
            return False
    return True


def job_labels(manifest: Manifest) -> list[StatusCause]:
    """Whether a Job's selector misses its own Pods."""
    spec = manifest.get("spec") or {}
    labels = metadata(spec.get("template") or {}).get("labels") or {}
    if selector_labels_match(spec.get("selector") or {}, labels):
        return []
    return [
        invalid_value(
            "spec.template.metadata.labels", go_json(labels), _SELECTOR_MISMATCH
        )
    ]


def job(manifest: Manifest) -> list[StatusCause]:
    """What is wrong with a Job."""
    spec = manifest.get("spec") or {}
    template = spec.get("template") or {}
    causes = []
    for key in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit"):
        value = spec.get(key)
        if isinstance(value, int) and value < 0:
            causes.append(not_negative(f"spec.{key}", value))
    uid = metadata(manifest).get("uid")
    selector = spec.get("selector") or {}
    generated = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    if not spec.get("manualSelector") and selector != generated:
        causes.append(
            invalid_value(
                "spec.selector", go_json(selector), "`selector` not auto-generated"
            )
        )
    causes += job_labels(manifest)
    causes += pod_spec(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy") or ""
    if policy not in ("Never", "OnFailure"):
        # Always is what a missing policy defaults to, and so counts as missing.
        causes.append(
            required(
                "spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'
            )
            if policy in ("", "Always")
            else unsupported(
                "spec.template.spec.restartPolicy",
                f'"{policy}"',
                ["OnFailure", "Never"],
            )
        )
    return causes
