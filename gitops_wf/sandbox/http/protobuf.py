"""Protobuf bodies of kubectl's typed commands.

The field numbers are those of the published `generated.proto` files of Kubernetes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from gitops_wf.sandbox.clocks import stamp
from gitops_wf.sandbox.http.protobuf_messages import MESSAGES, ROOTS
from gitops_wf.sandbox.statuses import ApiError, bad_request

ENVELOPE = b"k8s\x00"
_UNREADABLE = "the body of the request is not readable protobuf"
_UNSUPPORTED = (
    "the sandbox does not read {kind} as protobuf; send application/json or "
    "application/yaml"
)


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, wire = tag >> 3, tag & 7
        value: int | bytes
        if wire == 0:
            value, at = _varint(raw, at)
        elif wire in (1, 2, 5):
            size = {1: 8, 5: 4}.get(wire, 0)
            if wire == 2:
                size, at = _varint(raw, at)
            value, at = raw[at : at + size], at + size
        else:
            raise bad_request(_UNREADABLE)
        if at > len(raw):
            raise bad_request(_UNREADABLE)
        yield number, value


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(raw) or shift > 63:
            raise bad_request(_UNREADABLE)
        byte = raw[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return result, at
        shift += 7


def decode_envelope(raw: bytes) -> dict[str, Any]:
    """The object in Kubernetes' envelope, as JSON data; ApiError 400 or 415."""
    if not raw.startswith(ENVELOPE):
        raise bad_request("the body of the request is not a protobuf envelope")
    api_version = kind = ""
    body = b""
    for number, value in _fields(raw[len(ENVELOPE) :]):
        if number == 1 and isinstance(value, bytes):
            for inner, text in _fields(value):
                if isinstance(text, bytes):
                    if inner == 1:
                        api_version = text.decode()
                    elif inner == 2:
                        kind = text.decode()
        elif number == 2 and isinstance(value, bytes):
            body = value
    if kind not in MESSAGES or kind not in ROOTS:
        raise ApiError(
            415, _UNSUPPORTED.format(kind=kind), reason="UnsupportedMediaType"
        )
    return {"apiVersion": api_version, "kind": kind, **_decode(body, kind)}


def _decode(raw: bytes, message: str) -> dict[str, Any]:
    known = MESSAGES[message]
    if message == "Any":
        return {}
    out: dict[str, Any] = {}
    for number, value in _fields(raw):
        field = known.get(number)
        if field is None:
            if not value:
                continue
            raise ApiError(
                415,
                _UNSUPPORTED.format(kind=f"field {number} of {message}"),
                reason="UnsupportedMediaType",
            )
        if field.repeats == "list":
            out.setdefault(field.name, []).append(_value(value, field.type))
        elif field.repeats == "map" and isinstance(value, bytes):
            entry = dict(_fields(value))
            key = entry.get(1, b"")
            text = key.decode() if isinstance(key, bytes) else str(key)
            out.setdefault(field.name, {})[text] = _value(entry.get(2, b""), field.type)
        else:
            out[field.name] = _value(value, field.type)
    return _without_empty(out)


def _without_empty(message: dict[str, Any]) -> dict[str, Any]:
    """Go writes empty strings and unset times, which JSON leaves out."""
    return {key: value for key, value in message.items() if value not in ("", None)}


def _value(value: int | bytes, kind: str) -> Any:
    if isinstance(value, int):
        if kind == "bool":
            return bool(value)
        return value - (1 << 64) if value >= 1 << 63 else value
    match kind:
        case "string":
            return value.decode()
        case "bytes":
            return base64.b64encode(value).decode()
        case "time":
            seconds = dict(_fields(value)).get(1)
            moment = seconds if isinstance(seconds, int) else 0
            return stamp(datetime.fromtimestamp(moment, UTC)) if moment else None
        case "intstr":
            parts = dict(_fields(value))
            if parts.get(1, 0) == 1:
                text = parts.get(3, b"")
                return text.decode() if isinstance(text, bytes) else ""
            return parts.get(2, 0)
        case "quantity":
            text = dict(_fields(value)).get(1, b"")
            return text.decode() if isinstance(text, bytes) else ""
        case _:
            return _decode(value, kind)
