"""Rules of admission webhook configurations."""

from __future__ import annotations

import urllib.parse
from typing import Any

from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.statuses import (
    StatusCause,
    invalid_value,
    required,
    unsupported,
)

_OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]


def configuration(manifest: Manifest) -> list[StatusCause]:
    """What is wrong with the webhooks of a configuration."""
    return [
        cause
        for index, hook in enumerate(manifest.get("webhooks") or [])
        for cause in _webhook(f"webhooks[{index}]", hook)
    ]


def _webhook(field: str, hook: dict[str, Any]) -> list[StatusCause]:
    causes = []
    name = hook.get("name") or ""
    if len(name.split(".")) < 3:
        causes.append(
            invalid_value(
                f"{field}.name",
                f'"{name}"',
                "should be a domain with at least three segments separated by dots",
            )
        )
    for index, rule in enumerate(hook.get("rules") or []):
        causes += _rule(f"{field}.rules[{index}]", rule)
    for key, known in (
        ("failurePolicy", ["Fail", "Ignore"]),
        ("matchPolicy", ["Equivalent", "Exact"]),
        ("sideEffects", ["None", "NoneOnDryRun"]),
    ):
        value = hook.get(key)
        if value is None and key == "sideEffects":
            text = "must specify one of None, NoneOnDryRun"
            causes.append(required(f"{field}.{key}", text))
        elif value is not None and value not in known:
            causes.append(unsupported(f"{field}.{key}", f'"{value}"', known))
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        causes.append(
            invalid_value(
                f"{field}.timeoutSeconds",
                str(seconds),
                "the timeout value must be between 1 and 30 seconds",
            )
        )
    causes += _client(f"{field}.clientConfig", hook.get("clientConfig") or {})
    if not hook.get("admissionReviewVersions"):
        text = "must specify one of v1, v1beta1"
        causes.append(required(f"{field}.admissionReviewVersions", text))
    return causes


def _rule(field: str, rule: dict[str, Any]) -> list[StatusCause]:
    causes = [
        required(f"{field}.{key}")
        for key in ("operations", "apiVersions", "resources")
        if not rule.get(key)
    ]
    for index, one in enumerate(rule.get("operations") or []):
        if one not in _OPERATIONS:
            where = f"{field}.operations[{index}]"
            causes.append(unsupported(where, f'"{one}"', _OPERATIONS))
    return causes


def _client(field: str, client: dict[str, Any]) -> list[StatusCause]:
    url = client.get("url")
    if (url is None) is (client.get("service") is None):
        return [required(field, "exactly one of url or service is required")]
    scheme = urllib.parse.urlsplit(url or "https:").scheme
    if scheme != "https":
        return [
            invalid_value(
                f"{field}.url",
                f'"{scheme}"',
                "'https' is the only allowed URL scheme; desired format: "
                "https://host[/path]",
            )
        ]
    return []
