"""Bearer tokens of ServiceAccounts: issued, and believed again.

They are JSON Web Tokens (RFC 7519) as Kubernetes has them, signed with a key that only
the server holds. Nothing is kept of them: a token dies with its time or its account.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.sandbox.clocks import stamp
from gitops_wf.sandbox.objects import Manifest, name_of, namespace_of, uid_of
from gitops_wf.sandbox.storage import Storage
from gitops_wf.sandbox.users import User, service_account

AUDIENCE = "https://kubernetes.default.svc"
_HEADER = {"alg": "HS256", "typ": "JWT"}
_HOUR = 3600


class AccountTokens:
    """Issues tokens and tells whose one is."""

    def __init__(self, secret: str, storage: Storage) -> None:
        """`secret` signs; with another one, older tokens are not believed."""
        self._key = hashlib.sha256(b"service accounts:" + secret.encode()).digest()
        self._storage = storage

    def issue(self, account: Manifest, asked: Manifest, now: datetime) -> Manifest:
        """The answer to a TokenRequest for an account."""
        spec = asked.get("spec") or {}
        seconds = spec.get("expirationSeconds") or _HOUR
        audiences = spec.get("audiences") or [AUDIENCE]
        until = now + timedelta(seconds=seconds)
        space, name = namespace_of(account), name_of(account)
        claims = {
            "aud": audiences,
            "exp": int(until.timestamp()),
            "iat": int(now.timestamp()),
            "iss": AUDIENCE,
            "kubernetes.io": {
                "namespace": space,
                "serviceaccount": {"name": name, "uid": uid_of(account)},
            },
            "sub": f"system:serviceaccount:{space}:{name}",
        }
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": name,
                "namespace": space,
                "creationTimestamp": stamp(now),
            },
            "spec": {
                **spec,
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {
                "token": self._signed(claims),
                "expirationTimestamp": stamp(until),
            },
        }

    def _signed(self, claims: dict[str, Any]) -> str:
        body = ".".join(
            _text(json.dumps(part, separators=(",", ":")).encode())
            for part in (_HEADER, claims)
        )
        return f"{body}.{_text(self._signature(body))}"

    def _signature(self, body: str) -> bytes:
        return hmac.digest(self._key, body.encode(), "sha256")

    def user(self, token: str, now: datetime) -> User | None:
        """The account of a token; None for one that is not ours, or over."""
        body, _, signature = token.rpartition(".")
        try:
            if not hmac.compare_digest(self._signature(body), _bytes(signature)):
                return None
            claims = json.loads(_bytes(body.partition(".")[2]))
        except (ValueError, binascii.Error):
            return None
        about = claims["kubernetes.io"]
        space, named = about["namespace"], about["serviceaccount"]
        account = self._storage.get("serviceaccounts", space, named["name"])
        if account is None or uid_of(account) != named["uid"]:
            return None
        if claims["exp"] <= now.timestamp() or AUDIENCE not in claims["aud"]:
            return None
        return service_account(space, named["name"], named["uid"])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
