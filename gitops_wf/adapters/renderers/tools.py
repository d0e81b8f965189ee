"""All tools behind their roles, with one folder and one set of limits."""

from collections.abc import Sequence
from pathlib import Path

from gitops_wf.adapters.renderers import helm, kustomize, sops
from gitops_wf.adapters.renderers.workspace import Workspaces
from gitops_wf.core.render_limits import RenderLimits
from gitops_wf.core.secret import Secret
from gitops_wf.ports.content import File
from gitops_wf.ports.renderer import Chart


class Tools:
    """The Renderer role.

    ``folder`` is its own: what is in there is deleted.
    """

    def __init__(self, folder: Path, limits: RenderLimits | None = None) -> None:
        self._workspaces = Workspaces(folder)
        self._limits = limits or RenderLimits()

    def kustomize(self, files: Sequence[File], folder: str) -> File:
        """Build the kustomization in a folder."""
        return kustomize.build(self._workspaces, self._limits, files, folder)

    def helm(self, files: Sequence[File], chart: Chart) -> Sequence[File]:
        """Render a chart."""
        return helm.template(self._workspaces, self._limits, files, chart)

    def decrypt(self, file: File, keys: Sequence[Secret]) -> File:
        """Return the plain file."""
        return sops.decrypt(self._workspaces, self._limits, file, keys)
