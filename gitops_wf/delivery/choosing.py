"""Which files of an environment's folder hold what it wants on its targets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from gitops_wf.core.cloud import CloudChoice
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.inventory import Manifest
from gitops_wf.core.phases import Reason
from gitops_wf.delivery.selector import Selector
from gitops_wf.ports.content import KUSTOMIZATIONS, File

MANIFEST_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
CONTROL_STEMS = frozenset({"environment", "workflow", "approvals"})
RESERVED_FOLDERS = frozenset({"approvals", "jobs"})
OTHER_RENDERERS = {**dict.fromkeys(KUSTOMIZATIONS, "kustomize"), "Chart.yaml": "Helm"}

_MENDS = {
    "kustomize": "this kustomization is not at the top of what is delivered, so it "
    "would be left out: name its folder as the step's `path`, or refer to it from one "
    "that is",
    "Helm": "a chart is delivered where environment.yaml names it: helm: {chart: …}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part of an environment's content a step delivers.

    ``only`` are cloud resources, and nothing else; ``without`` are those that other
    steps deliver to the hub. ``kind`` is the only one, of the core group; empty is all.
    """

    path: str = ""
    selector: Selector = field(default_factory=Selector)
    only: CloudChoice | None = None
    without: tuple[CloudChoice, ...] = ()
    kind: str = ""

    def takes(self, manifest: Manifest) -> bool:
        """Whether an object, wherever it is written, is of the part."""
        if self.kind and (manifest.get("apiVersion"), manifest.get("kind")) != (
            "v1",
            self.kind,
        ):
            return False
        if self.only is not None and not self.only.takes(manifest):
            return False
        return not any(choice.takes(manifest) for choice in self.without)

    def completed(self, manifest: Manifest) -> Manifest:
        """Return an object as it is delivered."""
        if self.only is None:
            return manifest
        rule = self.only.rules.find(manifest)
        return manifest if rule is None else rule.completed(manifest)


def kustomized_folder(
    files: Sequence[File], environment: Environment, part: Part
) -> str | None:
    """Return the folder whose kustomization is delivered; None for plain manifests.

    It is the environment's own, or the part's: what lies deeper is a base of it, or is
    named by another step.
    """
    root = PurePosixPath(environment.folder) / _inside(part.path)
    names = {str(root / name) for name in KUSTOMIZATIONS}
    is_one = any(str(PurePosixPath(file.path)) in names for file in files)
    return ("" if str(root) == "." else str(root)) if is_one else None


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
            raise DefinitionError(file.path, None, _MENDS[renderer])
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
