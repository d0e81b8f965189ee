"""Building kustomizations with the kustomize of the machine, or of kubectl."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from gitops_wf.adapters.renderers.child import run
from gitops_wf.adapters.renderers.workspace import Workspaces
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.render_limits import RenderLimits
from gitops_wf.ports.content import File

_SHOWN = 1_000
"""Characters of the tool's own error that are told."""


def kustomize_command() -> list[str]:
    """Return the program that builds: kubectl's wheel, else what PATH has.

    Errors: TerminalError (RendererMissing), with the mend.
    """
    beside = shutil.which("kubectl", path=str(Path(sys.executable).parent))
    if beside is not None:
        return [beside, "kustomize"]
    kustomize = shutil.which("kustomize")
    if kustomize is not None:
        return [kustomize, "build"]
    kubectl = shutil.which("kubectl")
    if kubectl is not None:
        return [kubectl, "kustomize"]
    raise TerminalError(
        "a kustomization needs kustomize, and neither kustomize nor kubectl is on "
        "PATH: install one, or pip install 'gitops-wf[kubectl]'",
        reason="RendererMissing",
    )


def build(
    workspaces: Workspaces, limits: RenderLimits, files: Sequence[File], folder: str
) -> File:
    """Return what a kustomization builds.

    Its load restrictor is on (no file outside a kustomization's own folder), plug-ins
    and Helm are off, and remote bases cannot be fetched: there is no network, and no
    git on its PATH.
    """
    command = kustomize_command()
    with workspaces.holding(files) as place:
        ended = run([*command, folder or "."], place, limits)
        name = f"{folder}/kustomization.yaml" if folder else "kustomization.yaml"
        if ended.problem:
            raise DefinitionError(name, None, f"kustomize: {ended.problem}")
        if ended.code:
            words = ended.errors.replace(f"{place}/", "").removeprefix("error: ")
            raise DefinitionError(
                name, None, f"kustomize: {cut(_plain(words), _SHOWN)}"
            )
    return File(path=name, data=ended.output)


def _plain(words: str) -> str:
    """Leave out the line that kustomize repeats for each way it tried a path."""
    lines = [line for line in words.splitlines() if not line.startswith("# Warning")]
    return " ".join(lines)
