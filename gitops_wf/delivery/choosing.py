"""Which files of an environment's folder hold what it wants on its targets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.phases import Reason
from gitops_wf.delivery.selector import Selector
from gitops_wf.ports.content import File

MANIFEST_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
CONTROL_STEMS = frozenset({"environment", "workflow", "approvals"})
RESERVED_FOLDERS = frozenset({"approvals", "jobs"})
OTHER_RENDERERS = {
    "kustomization.yaml": "kustomize",
    "kustomization.yml": "kustomize",
    "Kustomization": "kustomize",
    "Chart.yaml": "Helm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part of an environment's content a step delivers."""

    path: str = ""
    selector: Selector = field(default_factory=Selector)


def manifest_files(
    files: Sequence[File],
    environment: Environment,
    part: Part,
    step_files: Iterable[str] = (),
) -> list[File]:
    """Return the files to deliver; TerminalError where there is no such path."""
    folder = PurePosixPath(environment.folder)
    root = folder / _inside(part.path)
    used = set(step_files)
    nested = _nested_environments(files, folder)
    chosen = [
        file
        for file in files
        if _is_below(PurePosixPath(file.path), root)
        and file.path not in used
        and not any(_is_below(PurePosixPath(file.path), other) for other in nested)
        and _is_delivered(PurePosixPath(file.path).relative_to(folder), environment)
    ]
    if part.path and not any(_is_below(PurePosixPath(f.path), root) for f in files):
        raise TerminalError(
            f"path {cut(part.path)}: no such file or folder in {environment.folder}",
            reason=Reason.INVALID_DEFINITION,
        )
    for file in chosen:
        renderer = OTHER_RENDERERS.get(PurePosixPath(file.path).name)
        if renderer:
            raise DefinitionError(
                file.path, None, f"{renderer} is not supported: use plain manifests"
            )
    return [
        file for file in chosen if PurePosixPath(file.path).suffix in MANIFEST_SUFFIXES
    ]


def _inside(path: str) -> PurePosixPath:
    inner = PurePosixPath(path)
    if inner.is_absolute() or ".." in inner.parts:
        raise TerminalError(
            f"path {cut(path)}: must stay inside the environment's folder",
            reason=Reason.INVALID_DEFINITION,
        )
    return inner


def _is_below(path: PurePosixPath, root: PurePosixPath) -> bool:
    return path == root or path.is_relative_to(root)


def _nested_environments(
    files: Sequence[File], folder: PurePosixPath
) -> set[PurePosixPath]:
    """Return subfolders that are environments of their own."""
    return {
        path.parent
        for path in (PurePosixPath(file.path) for file in files)
        if path.name in {"environment.yaml", "workflow.yaml"} and path.parent != folder
    }


def _is_delivered(path: PurePosixPath, environment: Environment) -> bool:
    """Whether a file, given from the environment's folder, may hold manifests."""
    if path.parts[0] in RESERVED_FOLDERS or any(p.startswith(".") for p in path.parts):
        return False
    if len(path.parts) == 1 and path.stem in CONTROL_STEMS:
        return False
    return not any(
        fnmatchcase(str(path), pattern) or fnmatchcase(path.name, pattern)
        for pattern in environment.ignore
    )
