"""Checking the environments of a tree of files, before anybody commits it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gitops_wf.core.config import RepositoryConfig
from gitops_wf.core.environment import Environment, Wait
from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.identifiers import EnvironmentName
from gitops_wf.core.inputs import ENVIRONMENT, is_decision_path
from gitops_wf.core.waiting import circle_problem
from gitops_wf.delivery.choosing import Part, manifest_files
from gitops_wf.delivery.rendering import read_sources
from gitops_wf.ports.content import File
from gitops_wf.ports.definitions import Definitions, FolderSource
from gitops_wf.ports.manifests import ManifestReader
from gitops_wf.services.folders import prefixes
from gitops_wf.services.watched import CONTROL_FILES

_MEANT_AS_CONTROL_FILES = frozenset(
    (*CONTROL_FILES, *(name.removesuffix("yaml") + "yml" for name in CONTROL_FILES))
)
"""With the other suffix they make no environment, which validation tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An environment of the tree, and what is wrong with it."""

    name: EnvironmentName
    folder: str
    steps: int
    problems: tuple[DefinitionError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTree:
    """A tree of files: their paths, sorted, and the bytes of each.

    ``read`` gives None where there is no such file; DefinitionError for one that is
    a link or too large.
    """

    paths: Sequence[str]
    read: Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """Checks as discovery does, and reads decisions and manifests besides."""

    repository: RepositoryConfig
    definitions: Definitions
    manifests: ManifestReader

    def check(self, tree: FileTree) -> tuple[Checked, ...]:
        """Return every environment of the tree, by folder."""
        taken: dict[EnvironmentName, str] = {}
        waits: dict[EnvironmentName, tuple[Wait, ...]] = {}
        found = []
        for folder in self._folders(tree):
            checked, own = self._environment(tree, folder)
            if checked.name in taken:
                clash = DefinitionError(
                    _join(folder, ENVIRONMENT),
                    None,
                    f"an environment named {checked.name} stands in"
                    f" {taken[checked.name]} already; give one of them another `name:`",
                )
                found.append(
                    Checked(
                        name=checked.name,
                        folder=folder,
                        steps=checked.steps,
                        problems=(clash, *checked.problems),
                    )
                )
                continue
            taken[checked.name] = folder
            waits[checked.name] = own
            found.append(checked)
        return tuple(_with_circle(checked, waits) for checked in found)

    def _folders(self, tree: FileTree) -> list[str]:
        globs = self.repository.environments
        candidates: set[str] = set()
        for path in tree.paths:
            folder, _, name = path.rpartition("/")
            if name in _MEANT_AS_CONTROL_FILES:
                candidates.add(folder)
            if self.repository.implicit:
                candidates.update(prefixes(folder))
        return sorted(
            folder
            for folder in candidates
            if self.definitions.is_environment_folder(folder, globs)
        )

    def _environment(
        self, tree: FileTree, folder: str
    ) -> tuple[Checked, tuple[Wait, ...]]:
        """Return an environment, and what it waits for."""
        prefix = f"{folder}/" if folder else ""
        paths = [p for p in tree.paths if p.startswith(prefix)]
        problems: list[DefinitionError] = []
        name = self._name(tree, folder)
        definition = self.definitions.read(
            FolderSource(
                repository=self.repository.name,
                folder=folder,
                name=name,
                paths=tuple(path[len(prefix) :] for path in paths),
                read=tree.read,
                targets=self.repository.targets,
            )
        )
        problems += definition.problems
        for path in paths:
            if is_decision_path(path[len(prefix) :]):
                problems += self._entries(tree, path)
        if definition.environment is not None:
            problems += self._manifests(tree, paths, definition.environment)
        workflow, environment = definition.workflow, definition.environment
        checked = Checked(
            name=name,
            folder=folder,
            steps=len(workflow.steps) if workflow else 0,
            problems=tuple(problems),
        )
        return checked, environment.waits if environment else ()

    def _entries(self, tree: FileTree, path: str) -> Sequence[DefinitionError]:
        """Return what is wrong with an approvals file."""
        try:
            data = tree.read(path)
        except DefinitionError as error:
            return [error]
        return () if data is None else self.definitions.entry_problems(path, data)

    def _name(self, tree: FileTree, folder: str) -> EnvironmentName:
        globs = self.repository.environments
        try:
            data = tree.read(_join(folder, ENVIRONMENT))
            return self.definitions.name(folder, globs, data)
        except DefinitionError:  # told when the environment is read
            return self.definitions.name(folder, globs, None)

    def _manifests(
        self, tree: FileTree, paths: Sequence[str], environment: Environment
    ) -> Iterator[DefinitionError]:
        """Yield what is wrong with the files that would be delivered."""
        try:
            empty = [File(path=path, data=b"") for path in paths]
            files = manifest_files(empty, environment, Part())
        except DefinitionError as error:
            yield error
            return

        def read(path: str, data: bytes) -> object:
            return read_sources([File(path=path, data=data)], self.manifests)

        for file in files:
            yield from _raised(read, file.path, tree)


def _with_circle(
    checked: Checked, waits: Mapping[EnvironmentName, tuple[Wait, ...]]
) -> Checked:
    """Add what is wrong where it waits for environments that wait for it."""
    problem = circle_problem(checked.name, lambda name: waits.get(name, ()))
    if problem is None:
        return checked
    return replace(checked, problems=(*checked.problems, problem))


def _raised(
    read: Callable[[str, bytes], object], path: str, tree: FileTree
) -> Iterator[DefinitionError]:
    """Yield what reading a file raises."""
    try:
        data = tree.read(path)
        if data is not None:
            read(path, data)
    except DefinitionError as error:
        yield error


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
