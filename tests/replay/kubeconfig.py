"""A client of the API server that a kubeconfig names."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import yaml

from tests.replay.client import Client


def _named(items: list[Any], name: str, key: str) -> dict[str, Any]:
    for item in items:
        if item["name"] == name:
            found: dict[str, Any] = item[key]
            return found
    raise KeyError(name)


def _bytes(section: dict[str, Any], name: str, folder: Path) -> bytes | None:
    """The content of a field that is there as data or as the name of a file."""
    data = section.get(f"{name}-data")
    if data:
        return base64.b64decode(data)
    path = section.get(name)
    return (folder / path).read_bytes() if path else None


def client_of(path: Path, scratch: Path) -> Client:
    """The client of the current context; keys are written to `scratch` to be loaded."""
    config = yaml.safe_load(path.read_text())
    context = _named(config["contexts"], config["current-context"], "context")
    cluster = _named(config["clusters"], context["cluster"], "cluster")
    user = _named(config["users"], context["user"], "user")
    tls: ssl.SSLContext | None = None
    if cluster["server"].startswith("https"):
        authority = _bytes(cluster, "certificate-authority", path.parent)
        tls = ssl.create_default_context(
            cadata=authority.decode() if authority else None
        )
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        certificate = _bytes(user, "client-certificate", path.parent)
        key = _bytes(user, "client-key", path.parent)
        if certificate and key:
            (scratch / "client.crt").write_bytes(certificate)
            (scratch / "client.key").write_bytes(key)
            tls.load_cert_chain(scratch / "client.crt", scratch / "client.key")
    return Client(cluster["server"], user.get("token", ""), tls=tls)
