"""What stands in a repository at a commit, for those that render it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gitops_wf.core.identifiers import EnvironmentId, Sha


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A regular file: its path from the repository's root, and its bytes."""

    path: str
    data: bytes


class Content(Protocol):
    """Files of an environment's repository, read from the object store only.

    Never follows a symbolic link, and fetches nothing: what a revision needs was
    fetched when it was found. Errors: TerminalError where a file is over the size
    cap or a link, TransientError where the clone is being mended.
    """

    def folder(
        self, environment: EnvironmentId, commit: Sha, folder: str
    ) -> Sequence[File]:
        """Return all regular files below a folder, sorted by path."""

    def file(self, environment: EnvironmentId, commit: Sha, path: str) -> File | None:
        """Return one file, or None where there is none."""


KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""The names by which kustomize finds one, in its order."""
