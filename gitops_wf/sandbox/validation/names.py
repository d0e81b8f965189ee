"""Rules of metadata: names, labels, annotations, finalizers, owners."""

from __future__ import annotations

import re
from typing import Any

from gitops_wf.sandbox.objects import Manifest, finalizers_of, is_deleting, metadata
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import (
    StatusCause,
    forbidden_field,
    invalid_value,
    required,
)

_LABEL_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
_NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")

LABEL_1123_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "
    "'-', and must start and end with an alphanumeric character (e.g. 'my-name',  or "
    "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start "
    "with an alphabetic character, and end with an alphanumeric character (e.g. "
    "'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
    "characters, '-' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_NAME_PART_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', "
    "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', "
    "'_' or '.', and must start and end with an alphanumeric character (e.g. "
    "'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
# Kinds whose names are labels, or almost anything that fits a path.
_LABEL_NAMES = frozenset({"namespaces"})
_PATH_NAMES = frozenset(
    {
        "clusterrolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "rolebindings.rbac.authorization.k8s.io",
        "roles.rbac.authorization.k8s.io",
    }
)
_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_ANNOTATION_BYTES = 256 * 1024
_OWNER_KEYS = (
    ("apiVersion", "version must not be empty"),
    ("kind", "must not be empty"),
    ("name", "must not be empty"),
    ("uid", "must not be empty"),
)
_SAID_ON_UPDATE = {"configmaps": 4}


def is_subdomain(value: str) -> bool:
    """Whether a text is a lowercase RFC 1123 subdomain."""
    return len(value) <= 253 and _SUBDOMAIN.fullmatch(value) is not None


def is_label(text: str) -> bool:
    """Whether text is an RFC 1123 label."""
    return len(text) <= 63 and _LABEL_1123.fullmatch(text) is not None


def is_label_1035(text: str) -> bool:
    """Whether text is an RFC 1035 label."""
    return len(text) <= 63 and _LABEL_1035.fullmatch(text) is not None


def _name_problems(resource: Resource, name: str) -> list[str]:
    kind = resource.qualified
    if kind in _PATH_NAMES:
        if name in (".", ".."):
            return [f"may not be '{name}'"]
        return [f"may not contain '{sign}'" for sign in "/%" if sign in name]
    problems = []
    longest, pattern, text = 253, _SUBDOMAIN, SUBDOMAIN_TEXT
    if kind in _LABEL_NAMES:
        longest, pattern, text = 63, _LABEL_1123, LABEL_1123_TEXT
    if len(name) > longest:
        problems.append(f"must be no more than {longest} bytes")
    if not pattern.fullmatch(name):
        problems.append(text)
    return problems


def key_problems(key: str) -> list[str]:
    """What is wrong with the key of a label or annotation."""
    parts = key.split("/")
    if len(parts) > 2:
        text = f"a valid label key {_NAME_PART_TEXT} with an optional DNS subdomain "
        return [f"{text}prefix and '/' (e.g. 'example.com/MyName')"]
    problems = []
    if len(parts) == 2:
        if not parts[0]:
            problems.append("prefix part must be non-empty")
        elif not _SUBDOMAIN.fullmatch(parts[0]):
            problems.append(f"prefix part {SUBDOMAIN_TEXT}")
    name = parts[-1]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not _NAME_PART.fullmatch(name):
        problems.append(f"name part {_NAME_PART_TEXT}")
    return problems


def label_causes(labels: dict[str, str], field: str) -> list[StatusCause]:
    """What is wrong with a map of labels."""
    causes = []
    for key in sorted(labels):
        causes += [
            invalid_value(field, f'"{key}"', problem) for problem in key_problems(key)
        ]
        value = labels[key] or ""
        if len(value) > 63:
            causes.append(
                invalid_value(field, f'"{value}"', "must be no more than 63 bytes")
            )
        if not _LABEL_VALUE.fullmatch(value):
            causes.append(invalid_value(field, f'"{value}"', _LABEL_VALUE_TEXT))
    return causes


def annotation_causes(annotations: dict[str, str], field: str) -> list[StatusCause]:
    """What is wrong with a map of annotations; their keys are read in lower case."""
    causes = [
        invalid_value(field, f'"{key}"', problem)
        for key in sorted(annotations)
        for problem in key_problems(key.lower())
    ]
    size = sum(
        len(key.encode()) + len((value or "").encode())
        for key, value in annotations.items()
    )
    if size > _ANNOTATION_BYTES:
        causes.append(
            StatusCause(
                field=field,
                reason="FieldValueTooLong",
                message=f"Too long: may not be more than {_ANNOTATION_BYTES} bytes",
            )
        )
    return causes


def names(resource: Resource, manifest: Manifest) -> list[StatusCause]:
    """What is wrong with the metadata of a new object."""
    meta = metadata(manifest)
    name, prefix = meta.get("name") or "", meta.get("generateName") or ""
    causes: list[StatusCause] = []
    if prefix:
        # A trailing '-' is allowed in a prefix, so it is judged without it.
        causes += [
            invalid_value("metadata.generateName", f'"{prefix}"', problem)
            for problem in _name_problems(resource, _masked(prefix))
        ]
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    else:
        causes += [
            invalid_value("metadata.name", f'"{name}"', problem)
            for problem in _name_problems(resource, name)
        ]
    return [*causes, *_common(meta)]


def _masked(prefix: str) -> str:
    return prefix[:-1] + "a" if prefix.endswith("-") and len(prefix) > 1 else prefix


def _common(meta: dict[str, Any]) -> list[StatusCause]:
    return [
        *label_causes(meta.get("labels") or {}, "metadata.labels"),
        *annotation_causes(meta.get("annotations") or {}, "metadata.annotations"),
        *_owners(meta.get("ownerReferences") or []),
        *_finalizers(meta.get("finalizers") or []),
    ]


def _owners(owners: list[dict[str, Any]]) -> list[StatusCause]:
    causes = []
    field = "metadata.ownerReferences"
    for owner in owners:
        causes += [
            invalid_value(f"{field}.{key}", '""', text)
            for key, text in _OWNER_KEYS
            if not owner.get(key)
        ]
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        first, second = controllers[0], controllers[1]
        causes.append(
            invalid_value(
                field,
                "references",
                "Only one reference can have Controller set to true. Found "
                f'"true" in references for {first.get("kind")}/{first.get("name")} and '
                f"{second.get('kind')}/{second.get('name')}",
            )
        )
    return causes


def _finalizers(finalizers: list[str]) -> list[StatusCause]:
    causes = []
    for index, finalizer in enumerate(finalizers):
        field = f"metadata.finalizers[{index}]"
        causes += [
            invalid_value(field, f'"{finalizer}"', problem)
            for problem in key_problems(finalizer)
        ]
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            causes.append(
                invalid_value(
                    field,
                    f'"{finalizer}"',
                    "name is neither a standard finalizer name nor is it fully "
                    "qualified",
                )
            )
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        causes.append(
            invalid_value(
                "metadata.finalizers",
                str(finalizers),
                "finalizer orphan and foregroundDeletion cannot be both set",
            )
        )
    return causes


def updated_names(
    resource: Resource, new: Manifest, old: Manifest
) -> list[StatusCause]:
    """What is wrong with the metadata of a changed object."""
    meta = metadata(new)
    # Every layer of an update checks the metadata again and says the same again.
    causes = _common(meta) * _SAID_ON_UPDATE.get(resource.qualified, 2)
    if is_deleting(old):
        added = [one for one in finalizers_of(new) if one not in finalizers_of(old)]
        if added:
            listed = ", ".join(f'"{one}"' for one in added)
            # The server checks this in two places and so says it twice.
            causes += [
                forbidden_field(
                    "metadata.finalizers",
                    "no new finalizers can be added if the object is being deleted, "
                    f"found new finalizers []string{{{listed}}}",
                )
            ] * 2
    return causes
