"""Manifests that were read before, so that the same text is parsed once.

A retry, a wave, and each look for drift read the files of a commit again; parsing is
then the most of what an unchanged delivery costs.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence

from gitops_wf.core.substitution import Variables
from gitops_wf.ports.manifests import Document, ManifestReader

SIZE = 8 << 20
"""Bytes of JSON to keep, of all environments: the least lately read go first."""


class RememberedManifests:
    """A ManifestReader that keeps what another one read; safe to use from threads.

    It is kept as JSON: small, and every reader gets values of its own. Errors are not
    kept, for they name the file.
    """

    def __init__(self, read: ManifestReader, size: int = SIZE) -> None:
        self._read = read
        self._size = size
        self._kept: OrderedDict[bytes, str] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()

    def __call__(
        self, path: str, data: bytes, variables: Variables | None = None, /
    ) -> Sequence[Document]:
        """Return the documents of a file (ports.manifests.ManifestReader)."""
        key = _key(data, variables)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
        if kept is not None:
            return [
                Document(manifest=manifest, line=line)
                for line, manifest in json.loads(kept)
            ]
        documents = self._read(path, data, variables)
        self._keep(key, json.dumps([(each.line, each.manifest) for each in documents]))
        return documents

    def _keep(self, key: bytes, text: str) -> None:
        with self._lock:
            if key in self._kept or len(text) > self._size:
                return
            self._kept[key] = text
            self._total += len(text)
            while self._total > self._size:
                _, oldest = self._kept.popitem(last=False)
                self._total -= len(oldest)


def _key(data: bytes, variables: Variables | None) -> bytes:
    digest = hashlib.blake2b(data, digest_size=32)
    if variables is not None:
        digest.update(b"\0" + json.dumps(variables.values, sort_keys=True).encode())
    return digest.digest()
