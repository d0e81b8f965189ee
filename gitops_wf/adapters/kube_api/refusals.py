"""What an API server's error answers mean, as the errors of the Cluster port."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from gitops_wf.adapters.kube_api.transport import Answer
from gitops_wf.core.errors import GitOpsError, cut, cut_inside
from gitops_wf.core.impersonation import Identity
from gitops_wf.core.redaction import Redactor
from gitops_wf.core.secret import Secret
from gitops_wf.ports.cluster import (
    ApplyConflictError,
    ClusterRefusalError,
    ClusterUnavailableError,
    ResourceConflictError,
    UnknownKindError,
)

_MANAGER = re.compile(r'conflict with "((?:[^"\\]|\\.)*)"')
_NO_RIGHT = re.compile(r'User "[^"]*" cannot ')
_MAY_NOT_IMPERSONATE = re.compile(r'User "[^"]*" cannot impersonate\b')
"""Of who asks, not of whom it asks as: `impersonate`, and of Kubernetes 1.36 on
`impersonate-on:user-info:list` (KEP-5284)."""

_NOT_CURED = (
    "field not declared in schema",
    "failed to create typed patch object",
    "failed to create typed live object",
    "duplicate entries for key",
    "failed to convert new object",
)
"""An apply that can't be read is answered 500, not 4xx.

So it is with an unknown field, one that is given twice, and text that is no base64 or
no quantity.
"""

_TEXT = 1024
"""Of an API server's text: what mends a refusal often stands at its end."""

_WHAT = {
    400: "rejected as malformed",
    403: "forbidden",
    405: "not supported",
    406: "not supported",
    413: "too large for the API server",
    415: "not supported",
    422: "invalid",
}


def error_of(
    answer: Answer,
    server: str,
    subject: str,
    verb: str,
    secrets: Iterable[Secret] = (),
    *,
    identity: Identity | None = None,
) -> GitOpsError:
    """Return the error of an answer that is no success.

    ``subject`` is what the request was about (``Deployment/shop/web``), ``verb``
    what was asked (``apply``), ``secrets`` what it held that the server may quote,
    ``identity`` whom it was made as, where not as ourselves.
    """
    redactor = Redactor(secrets)
    status = redactor.value(answer.json())
    text = str(
        status.get("message")
        or redactor.text(answer.body[:4096].decode("utf-8", "replace"))[:512]
    )
    reason = str(status.get("reason") or "")
    causes = _causes(status)
    is_secret = subject.startswith("Secret/")
    is_told = answer.status == 403 or not is_secret
    shown = cut_inside(text, _TEXT) if is_told else _withheld(status)
    match answer.status:
        case 401:
            # Whoever cannot log in has no answer yet; a kubeconfig that is renewed
            # is read at the next try.
            return ClusterUnavailableError(
                f"API server {server}: credentials not accepted (401 Unauthorized) "
                f"at {verb} of {subject}; the token may have expired: renew it in "
                "the kubeconfig, which is read again at each try"
            )
        case 403 if any(cause[0] == "NamespaceTerminating" for cause in causes):
            return ResourceConflictError(
                f"{subject}: {verb} not possible: its namespace is being deleted"
            )
        case 403 if "error looking up service account" in text:
            # A controller makes it, a moment after its namespace (the admission
            # plug-in ServiceAccount).
            return ResourceConflictError(
                f"{subject}: {verb} not possible yet: {cut_inside(text, _TEXT)}"
            )
        case 404 if (status.get("details") or {}).get("kind") == "namespaces":
            name = (status.get("details") or {}).get("name", "")
            return ClusterRefusalError(
                f'{subject}: namespace "{cut(str(name))}" not found on {server}; '
                "create it, or add a Namespace manifest",
                reason="NamespaceNotFound",
                status=404,
            )
        case 404:
            return UnknownKindError(
                f"{subject}: not found on {server} at {verb}: {cut(text)}",
                reason="NotFound",
            )
        case 409 if any(cause[0] == "FieldManagerConflict" for cause in causes):
            return _conflict(subject, status)
        case 409:
            return ResourceConflictError(
                f"{subject}: {verb} met another writer: {cut(text)}"
            )
        case 429 | 500 | 502 | 503 | 504 if not _is_final(answer.status, text):
            return ClusterUnavailableError(
                f"API server {server} cannot {verb} {subject} now "
                f"({answer.status}): {shown or 'no text'}",
                retry_after=_retry_after(answer, status),
            )
    what = _WHAT.get(answer.status, "refused")
    if text.startswith("admission webhook "):
        # With whatever status it chose.
        what = "not admitted"
    return ClusterRefusalError(
        f"{subject}: {verb}: {what} ({answer.status}): {shown}"
        f"{_mend(identity, text) if answer.status == 403 else ''}",
        reason=reason or "Refused",
        status=answer.status,
        causes=tuple(
            (field, "" if is_secret else cut_inside(message))
            for _, field, message in causes
        ),
    )


def _mend(identity: Identity | None, text: str) -> str:
    """Say what would allow a request that was made as somebody else."""
    if identity is None or not _NO_RIGHT.search(text):
        return ""  # of admission: a quota, a policy
    if _MAY_NOT_IMPERSONATE.search(text):
        return (
            f"; the daemon itself may not act as {identity}, whom `impersonate` of "
            "the target names: give its own identity on the cluster the verb "
            "impersonate for that user"
        )
    return (
        f"; asked as {identity}, whom `impersonate` of the target names: bind that "
        "identity a Role which allows it"
    )


def _is_final(status: int, text: str) -> bool:
    return status == 500 and any(sign in text for sign in _NOT_CURED)


def _causes(status: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    causes = (status.get("details") or {}).get("causes") or ()
    return [
        (
            str(cause.get("reason", "")),
            str(cause.get("field", "")),
            str(cause.get("message", "")),
        )
        for cause in causes
    ]


def _conflict(subject: str, status: Mapping[str, Any]) -> ApplyConflictError:
    """Return the error of an apply, each other manager with its fields."""
    fields: dict[str, list[str]] = defaultdict(list)
    for _, field, message in _causes(status):
        match = _MANAGER.search(message)
        fields[match.group(1) if match else message].append(field)
    owned = "; ".join(
        f'"{cut(manager, 64)}" owns {cut(", ".join(paths))}'
        for manager, paths in fields.items()
    )
    return ApplyConflictError(
        f"{subject}: conflict with another field manager: {owned}",
        reason="Conflict",
        status=409,
        causes=tuple(
            (path, manager) for manager, paths in fields.items() for path in paths
        ),
    )


def _withheld(status: Mapping[str, Any]) -> str:
    """Return the fields at fault only: the text of a Secret's error may hold values."""
    fields = ", ".join(field for _, field, _ in _causes(status) if field)
    return cut(fields) or "the server's text is withheld, for it may hold its values"


def _retry_after(answer: Answer, status: Mapping[str, Any]) -> timedelta | None:
    """Return what the server asked for (RFC 9110 section 10.2.3, in seconds)."""
    asked = answer.headers.get("Retry-After", "") or str(
        (status.get("details") or {}).get("retryAfterSeconds", "")
    )
    return timedelta(seconds=int(asked)) if asked.isdigit() else None
