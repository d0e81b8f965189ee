"""Reading an environment's files into values, as a role."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gitops_wf.core.decision import Entry
from gitops_wf.core.environment import Environment, Wait
from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.identifiers import EnvironmentName, RepositoryName, TargetName
from gitops_wf.core.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSource:
    """An environment's folder at a commit, as far as reading it needs.

    ``paths`` are all files below the folder, relative to it. ``read`` gives the
    bytes of a file by its path from the repository's root, or None where there is
    none; DefinitionError where it is too large or a link. ``targets`` are the
    daemon's for environments that name none. ``environments`` are the names of all
    environments of the repository, None where they are not known.
    """

    repository: RepositoryName
    folder: str
    name: EnvironmentName
    paths: tuple[str, ...]
    read: Callable[[str], bytes | None]
    targets: tuple[TargetName, ...] = ()
    environments: frozenset[EnvironmentName] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What an environment's files say, or what is wrong with them.

    With problems there is no workflow; the environment is there when its own file
    could be read.
    """

    environment: Environment | None
    workflow: Workflow | None
    problems: tuple[DefinitionError, ...] = ()


class Definitions(Protocol):
    """Reads and checks the files of environments."""

    def name(
        self, folder: str, globs: Sequence[str], data: bytes | None
    ) -> EnvironmentName:
        """Return a folder's environment name: ``name:`` of its file, else its path's.

        ``data`` is environment.yaml's, None where there is none. Errors:
        DefinitionError where it, or the name in it, is not valid.
        """

    def is_environment_folder(self, folder: str, globs: Sequence[str]) -> bool:
        """Whether the globs of a repository match a folder."""

    def read(self, source: FolderSource) -> Definition:
        """Read and check everything."""

    def waits(self, source: FolderSource) -> tuple[Wait, ...]:
        """Return what an environment waits for, as far as its files can be read."""

    def entries(self, path: str, data: bytes) -> Sequence[Entry]:
        """Return an approvals file's entries; DefinitionError where it is wrong."""

    def entry_problems(self, path: str, data: bytes) -> Sequence[DefinitionError]:
        """Return everything that is wrong with an approvals file."""
