"""Reading manifests from the text of a file, as a role."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.inventory import Manifest
from gitops_wf.core.substitution import Variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML or JSON document that is a map, and the line where it begins."""

    manifest: Manifest
    line: int


class ManifestReader(Protocol):
    """Parses a file within the caps on bytes, documents, depth and aliases."""

    def __call__(
        self, path: str, data: bytes, variables: Variables | None = None, /
    ) -> Sequence[Document]:
        """Return the documents that are not empty; DefinitionError names the line.

        ``variables`` are filled in; without them ``${name}`` is text like any other.
        """


def reads_no_manifests(
    path: str, _data: bytes, _variables: Variables | None = None, /
) -> Sequence[Document]:
    """Refuse every file: for programs that deliver nothing."""
    raise TerminalError(
        f"{path}: no reader of manifests is configured", reason="ExecutionError"
    )
