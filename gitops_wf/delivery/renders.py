"""Renders that were made before, so that a comparison need not render anew.

A revision's render never changes. Its manifests are kept packed: a thousand
environments of twenty objects take some ten megabytes so.
"""

import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

from gitops_wf.delivery.rendering import Desired

MOST_BYTES = 64 * 1024 * 1024

_BARE_BYTES = 500
"""What an object takes without its manifest, roughly."""


@dataclass(frozen=True, slots=True)
class _Packed:
    """Objects without their manifests, and those."""

    bare: tuple[Desired, ...]
    manifests: bytes

    @property
    def size(self) -> int:
        return len(self.manifests) + _BARE_BYTES * len(self.bare)

    def unpacked(self) -> tuple[Desired, ...]:
        manifests = json.loads(zlib.decompress(self.manifests))
        return tuple(
            replace(item, manifest=manifest)
            for item, manifest in zip(self.bare, manifests, strict=True)
        )


class Renders:
    """Objects by what they were rendered from; the longest unused go. Thread-safe."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._packed: OrderedDict[Hashable, _Packed] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(
        self, key: Hashable, render: Callable[[], Sequence[Desired]]
    ) -> tuple[Desired, ...]:
        """Return what is known under a key, else what ``render`` makes.

        Errors: those of ``render``; nothing is known then.
        """
        with self._lock:
            packed = self._packed.get(key)
            if packed is not None:
                self._packed.move_to_end(key)
        if packed is not None:
            return packed.unpacked()
        objects = tuple(render())
        made = _packed(objects)
        with self._lock:
            if key not in self._packed:
                self._packed[key] = made
                self._bytes += made.size
            while self._bytes > self._most and len(self._packed) > 1:
                self._bytes -= self._packed.popitem(last=False)[1].size
        return objects


def _packed(objects: Sequence[Desired]) -> _Packed:
    manifests = json.dumps([item.manifest for item in objects]).encode()
    return _Packed(
        bare=tuple(replace(item, manifest={}) for item in objects),
        manifests=zlib.compress(manifests),
    )
