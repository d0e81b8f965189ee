"""Rules of each kind's own fields."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from gitops_wf.sandbox.objects import Manifest, metadata, namespace_of
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import (
    StatusCause,
    invalid_value,
    required,
    unsupported,
)
from gitops_wf.sandbox.validation.ingresses import ingress
from gitops_wf.sandbox.validation.names import (
    LABEL_1123_TEXT,
    is_label,
    label_causes,
)
from gitops_wf.sandbox.validation.schedules import cron_job
from gitops_wf.sandbox.validation.texts import go_json, go_json_error
from gitops_wf.sandbox.validation.webhooks import configuration as webhook_configuration
from gitops_wf.sandbox.validation.workloads import job, pod_spec, workload

_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_CONFIG_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
    "'[-._a-zA-Z0-9]+')"
)
_DATA_BYTES = 1024 * 1024
_SECRET_KEYS = {
    "kubernetes.io/basic-auth": (),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_REGISTRATION = "admissionregistration.k8s.io"
_SERVICE_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]


def content(resource: Resource, manifest: Manifest) -> list[StatusCause]:
    """What is wrong with the object's own fields."""
    rule = _RULES.get(resource.qualified)
    return rule(manifest) if rule else []


def _config_map(manifest: Manifest) -> list[StatusCause]:
    causes = []
    size = 0
    for field in ("data", "binaryData"):
        for key, value in sorted((manifest.get(field) or {}).items()):
            size += len((value or "").encode())
            causes += _config_key(f"{field}[{key}]", key)
    for key in sorted(manifest.get("data") or {}):
        if key in (manifest.get("binaryData") or {}):
            causes.append(invalid_value("data", f'"{key}"', f"duplicate of key {key}"))
    if size > _DATA_BYTES:
        causes.append(_too_much())
    return causes


def _config_key(field: str, key: str) -> list[StatusCause]:
    if _CONFIG_KEY.fullmatch(key) and key not in (".", ".."):
        return []
    return [invalid_value(field, f'"{key}"', _CONFIG_KEY_TEXT)]


def _too_much() -> StatusCause:
    return StatusCause(
        field="[]",
        reason="FieldValueTooLong",
        message=f"Too long: may not be more than {_DATA_BYTES} bytes",
    )


def _secret(manifest: Manifest) -> list[StatusCause]:
    data = manifest.get("data") or {}
    causes = []
    for key in sorted(data):
        causes += _config_key(f"data[{key}]", key)
    if sum(len(value or "") * 3 // 4 for value in data.values()) > _DATA_BYTES:
        causes.append(
            StatusCause(
                field="data",
                reason="FieldValueTooLong",
                message=f"Too long: may not be more than {_DATA_BYTES} bytes",
            )
        )
    kind = manifest.get("type", "Opaque")
    for key in _SECRET_KEYS.get(kind, ()):
        if key not in data:
            causes.append(required(f"data[{key}]"))
        elif key.startswith(".docker"):
            causes += _docker_config(key, data[key])
    if (
        kind == "kubernetes.io/basic-auth"
        and "username" not in data
        and "password" not in data
    ):
        causes += [required("data[username]"), required("data[password]")]
    return causes


def _docker_config(key: str, encoded: str) -> list[StatusCause]:
    text = base64.b64decode(encoded or "").decode(errors="replace")
    try:
        json.loads(text)
    except ValueError:
        return [
            invalid_value(
                f"data[{key}]",
                '"<secret contents redacted>"',
                go_json_error(text),
            )
        ]
    return []


def _service(manifest: Manifest) -> list[StatusCause]:
    spec = manifest.get("spec") or {}
    ports = spec.get("ports") or []
    kind = spec.get("type", "ClusterIP")
    causes = []
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        causes.append(required("spec.ports"))
    for index, port in enumerate(ports):
        causes += _service_port(f"spec.ports[{index}]", port, named=len(ports) > 1)
    if kind not in _SERVICE_TYPES:
        causes.append(unsupported("spec.type", f'"{kind}"', _SERVICE_TYPES))
    if kind == "ExternalName" and not spec.get("externalName"):
        causes.append(required("spec.externalName"))
    causes += label_causes(spec.get("selector") or {}, "spec.selector")
    return causes


def _service_port(
    field: str, port: dict[str, Any], *, named: bool
) -> list[StatusCause]:
    causes = []
    name = port.get("name") or ""
    if named and not name:
        causes.append(required(f"{field}.name"))
    elif name and not is_label(name):
        causes.append(invalid_value(f"{field}.name", f'"{name}"', LABEL_1123_TEXT))
    number = port.get("port", 0)
    if not 1 <= number <= 65535:
        causes.append(
            invalid_value(
                f"{field}.port", str(number), "must be between 1 and 65535, inclusive"
            )
        )
    return causes


def _pod(manifest: Manifest) -> list[StatusCause]:
    return pod_spec(manifest.get("spec") or {}, "spec")


def _event(manifest: Manifest) -> list[StatusCause]:
    about = manifest.get("involvedObject") or {}
    namespace = namespace_of(manifest)
    wanted = about.get("namespace") or ""
    if wanted == namespace or (not wanted and namespace == "default"):
        return []
    if not wanted and "eventTime" in manifest and manifest["eventTime"]:
        return []
    return [
        invalid_value(
            "involvedObject.namespace", f'"{wanted}"', "does not match event.namespace"
        )
    ]


def _definition(manifest: Manifest) -> list[StatusCause]:
    spec = manifest.get("spec") or {}
    names, group = spec.get("names") or {}, spec.get("group") or ""
    name = metadata(manifest).get("name")
    causes = []
    if name != f"{names.get('plural')}.{group}":
        causes.append(
            invalid_value(
                "metadata.name", f'"{name}"', 'must be spec.names.plural+"."+spec.group'
            )
        )
    if group == "k8s.io" or group.endswith((".k8s.io", ".kubernetes.io")):
        approval = "api-approved.kubernetes.io"
        if approval not in (metadata(manifest).get("annotations") or {}):
            causes.append(
                required(
                    f"metadata.annotations[{approval}]",
                    f'protected groups must have approval annotation "{approval}", see '
                    "https://github.com/kubernetes/enhancements/pull/1111",
                )
            )
    versions = spec.get("versions") or []
    if sum(bool(one.get("storage")) for one in versions) != 1:
        causes.append(
            invalid_value(
                "spec.versions",
                go_json(versions),
                "must have exactly one version marked as storage version",
            )
        )
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            causes.append(required(f"spec.versions[{index}].schema.openAPIV3Schema"))
    return causes


_RULES: dict[str, Callable[[Manifest], list[StatusCause]]] = {
    "configmaps": _config_map,
    "cronjobs.batch": cron_job,
    "ingresses.networking.k8s.io": ingress,
    f"mutatingwebhookconfigurations.{_REGISTRATION}": webhook_configuration,
    f"validatingwebhookconfigurations.{_REGISTRATION}": webhook_configuration,
    "customresourcedefinitions.apiextensions.k8s.io": _definition,
    "daemonsets.apps": workload,
    "deployments.apps": workload,
    "events": _event,
    "jobs.batch": job,
    "pods": _pod,
    "replicasets.apps": workload,
    "secrets": _secret,
    "services": _service,
    "statefulsets.apps": workload,
}
