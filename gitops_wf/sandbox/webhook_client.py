"""One call of an admission webhook over HTTPS, failing in Go's words."""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import socket
import ssl
import urllib.parse
from dataclasses import dataclass
from typing import Any

from gitops_wf.sandbox.objects import Manifest
from gitops_wf.sandbox.storage import Storage

_INVALID = "received invalid webhook response"
_GO_TYPE = (
    r'struct { APIVersion string "json:\"apiVersion,omitempty\""; '
    r'Kind string "json:\"kind,omitempty\"" }'
)
_ANSWER_BYTES = 3 * 1024 * 1024


class CallFailed(Exception):  # noqa: N818 - what happened, and it may not matter
    """A webhook that gave no usable answer; str() says why."""


def call(
    client: Manifest, review: Manifest, seconds: int, storage: Storage
) -> dict[str, Any]:
    """The `response` of a webhook to an AdmissionReview; raises CallFailed.

    `client` is its `clientConfig`. A Service leads nowhere here, as no Pod runs; what
    is missing on the way is told as a real server tells it.
    """
    url = client.get("url") or ""
    if not url:
        _no_service(client.get("service") or {}, seconds, storage)
    asked = f"{url}{'&' if '?' in url else '?'}timeout={seconds}s"
    try:
        answer = _post(asked, client.get("caBundle") or "", review, seconds)
    except (OSError, http.client.HTTPException) as error:
        why = _reason(error, asked)
        raise CallFailed(f'failed to call webhook: Post "{asked}": {why}') from error
    if answer.status != http.client.OK:
        raise CallFailed(f"failed to call webhook: {_status_text(answer)}")
    return _response(answer.body, str(review["request"]["uid"]))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    is_text: bool
    body: bytes


def _no_service(service: Manifest, seconds: int, storage: Storage) -> None:
    space, name = service.get("namespace", ""), service.get("name", "")
    port = service.get("port") or 443
    path = service.get("path") or ""
    asked = f"https://{name}.{space}.svc:{port}{path}?timeout={seconds}s"
    found = storage.get("services", space, name)
    if found is None:
        why = f'service "{name}" not found'
    else:
        address = (found.get("spec") or {}).get("clusterIP")
        why = f"dial tcp {address}:{port}: connect: connection refused"
    raise CallFailed(f'failed to call webhook: Post "{asked}": {why}')


def _post(url: str, bundle: str, review: Manifest, seconds: int) -> _Answer:
    parts = urllib.parse.urlsplit(url)
    authority: str | None = None
    if bundle:
        try:
            authority = base64.b64decode(bundle).decode("ascii")
        except (binascii.Error, ValueError) as error:
            raise CallFailed(
                "failed to call webhook: unable to load root certificates: unable to "
                "parse bytes as PEM block"
            ) from error
    connection = http.client.HTTPSConnection(
        parts.hostname or "",
        parts.port or 443,
        timeout=seconds,
        context=ssl.create_default_context(cadata=authority),
    )
    try:
        target = f"{parts.path or '/'}?{parts.query}"
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        connection.request("POST", target, json.dumps(review), headers)
        answer = connection.getresponse()
        is_text = (answer.getheader("Content-Type") or "").startswith("text/")
        return _Answer(answer.status, is_text, answer.read(_ANSWER_BYTES))
    finally:
        connection.close()


def _reason(error: OSError | http.client.HTTPException, url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    address = f"{parts.hostname}:{parts.port or 443}"
    match error:
        case TimeoutError():
            return "context deadline exceeded"
        case ssl.SSLCertVerificationError():
            return f"tls: failed to verify certificate: x509: {_distrust(error)}"
        case socket.gaierror():
            return f"dial tcp: lookup {parts.hostname}: no such host"
        case ConnectionRefusedError():
            return f"dial tcp {address}: connect: connection refused"
        case http.client.RemoteDisconnected():
            return "EOF"
        case _:
            return str(error)


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    if "self-signed" in error.verify_message or "issuer" in error.verify_message:
        return "certificate signed by unknown authority"
    return error.verify_message


def _status_text(answer: _Answer) -> str:
    match answer.status:
        case http.client.NOT_FOUND:
            return "the server could not find the requested resource"
        case http.client.SERVICE_UNAVAILABLE:
            return "the server is currently unable to handle the request"
        case status if status >= http.client.INTERNAL_SERVER_ERROR:
            said = (
                answer.body.decode(errors="replace").strip() if answer.is_text else ""
            )
            return (
                f"an error on the server ({json.dumps(said or 'unknown')}) has "
                "prevented the request from succeeding"
            )
        case _:
            return "the server rejected our request for an unknown reason"


def _response(body: bytes, uid: str) -> dict[str, Any]:
    try:
        review = json.loads(body)
    except ValueError:
        review = None
    if not isinstance(review, dict):
        raise CallFailed(
            "failed to call webhook: couldn't get version/kind; json parse error: "
            f"json: cannot unmarshal string into Go value of type {_GO_TYPE}"
        )
    version, kind = review.get("apiVersion"), review.get("kind")
    if (version, kind) != ("admission.k8s.io/v1", "AdmissionReview"):
        raise CallFailed(
            f'failed to call webhook: no kind "{kind}" is registered for version '
            f'"{version}" in scheme "k8s.io/apiserver/pkg/util/webhook/client.go:71"'
        )
    response = review.get("response")
    if not isinstance(response, dict):
        raise CallFailed(f"{_INVALID}: webhook response was absent")
    if response.get("uid") != uid:
        given = response.get("uid", "")
        raise CallFailed(f'{_INVALID}: expected response.uid="{uid}", got "{given}"')
    return response
