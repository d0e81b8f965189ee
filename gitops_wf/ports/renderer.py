"""Rendering what needs a tool: kustomize and Helm, and decrypting SOPS files.

Each call is a child process without network, with an empty environment and limits on
memory, processor time and wall time; it sees a private folder with the files it is
given, and nothing else of the repository.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gitops_wf.core.secret import Secret
from gitops_wf.ports.content import File


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of the repository and what it is rendered with.

    ``path`` and ``values`` are paths from the repository's root; later values win,
    as with ``helm template -f``.
    """

    path: str
    release: str
    namespace: str
    values: tuple[str, ...] = ()


class Renderer(Protocol):
    """Renders files to manifests.

    Errors: DefinitionError with the tool's own words where the files are wrong or
    need more than the limits allow, TerminalError (RendererMissing) where the tool
    is not installed, TransientError where it took too long.
    """

    def kustomize(self, files: Sequence[File], folder: str) -> File:
        """Build the kustomization in a folder; the result's path names it."""

    def helm(self, files: Sequence[File], chart: Chart) -> Sequence[File]:
        """Render a chart; a file for each template, the CRDs of `crds/` first."""

    def decrypt(self, file: File, keys: Sequence[Secret]) -> File:
        """Return the plain file of one that SOPS has encrypted.

        ``keys`` are age identities or armoured OpenPGP private keys.
        """
