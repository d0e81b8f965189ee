"""Rules of Ingresses."""

from __future__ import annotations

from typing import Any

from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.statuses import (
    StatusCause,
    invalid_value,
    required,
    unsupported,
)
from gitops_wf.sandbox.validation.names import SUBDOMAIN_TEXT, is_subdomain

_PATH_TYPES = ["Exact", "ImplementationSpecific", "Prefix"]


def ingress(manifest: Manifest) -> list[StatusCause]:
    """What is wrong with an Ingress."""
    spec = manifest.get("spec") or {}
    causes = []
    if not spec.get("rules") and not spec.get("defaultBackend"):
        causes.append(
            invalid_value(
                "spec",
                "null",
                "either `defaultBackend` or `rules` must be specified",
            )
        )
    for index, rule in enumerate(spec.get("rules") or []):
        field = f"spec.rules[{index}]"
        host = (rule.get("host") or "").removeprefix("*.")
        if host and not is_subdomain(host):
            causes.append(
                invalid_value(f"{field}.host", f'"{rule["host"]}"', SUBDOMAIN_TEXT)
            )
        for at, path in enumerate((rule.get("http") or {}).get("paths") or []):
            causes += _path(f"{field}.http.paths[{at}]", path)
    return causes


def _path(field: str, path: dict[str, Any]) -> list[StatusCause]:
    kind = path.get("pathType")
    if kind is None:
        return [required(f"{field}.pathType", "pathType must be specified")]
    if kind not in _PATH_TYPES:
        return [unsupported(f"{field}.pathType", f'"{kind}"', _PATH_TYPES)]
    text = path.get("path") or ""
    if kind != "ImplementationSpecific" and not text.startswith("/"):
        return [invalid_value(f"{field}.path", f'"{text}"', "must be an absolute path")]
    return []
