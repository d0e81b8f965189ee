"""Digest of rendered objects: what an approval may pin."""

import hashlib
import hmac
import json
from collections.abc import Iterable

from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.core.secret import Secret


def digest_of(manifests: Iterable[Manifest], key: Secret) -> str:
    """Return ``sha256:<hex>`` of objects, whatever their order.

    Values of Secrets go in only keyed, so that a digest that is shown, stored or
    committed cannot be used to try guesses of a password.
    """
    parts = sorted(
        json.dumps(
            _without_values(manifest, key),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        for manifest in manifests
    )
    return "sha256:" + hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _without_values(manifest: Manifest, key: Secret) -> Manifest:
    ref = ObjectRef.of(manifest)
    if ref.group or ref.kind != "Secret":
        return manifest
    return {
        **manifest,
        **{
            field: {name: _keyed(str(value), key) for name, value in values.items()}
            for field in ("data", "stringData")
            if isinstance(values := manifest.get(field), dict)
        },
    }


def _keyed(value: str, key: Secret) -> str:
    return hmac.new(key.reveal().encode(), value.encode(), hashlib.sha256).hexdigest()
