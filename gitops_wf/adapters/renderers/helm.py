"""Rendering charts of the repository with the Helm SDK, in a child of its own."""

import json
import sys
from collections.abc import Sequence

from gitops_wf.adapters.renderers.child import run
from gitops_wf.adapters.renderers.workspace import Workspaces
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.render_limits import RenderLimits
from gitops_wf.ports.content import File
from gitops_wf.ports.renderer import Chart

_CHILD = "gitops_wf.adapters.renderers.helm_child"
_SHOWN = 1_000


def template(
    workspaces: Workspaces, limits: RenderLimits, files: Sequence[File], chart: Chart
) -> list[File]:
    """Return the rendered templates of a chart, its `crds/` first."""
    name = f"{chart.path}/Chart.yaml" if chart.path else "Chart.yaml"
    request = {
        "chart": chart.path or ".",
        "release": chart.release,
        "namespace": chart.namespace,
        "values": chart.values,
    }
    with workspaces.holding(files) as place:
        ended = run(
            [sys.executable, "-I", "-m", _CHILD],
            place,
            limits,
            given=json.dumps(request).encode(),
        )
    if ended.problem:
        raise DefinitionError(name, None, f"Helm: {ended.problem}")
    try:
        answer = json.loads(ended.output)
    except ValueError as exc:
        raise DefinitionError(
            name, None, f"Helm crashed: {cut(ended.errors[-_SHOWN:], _SHOWN)}"
        ) from exc
    if answer.get("missing"):
        raise TerminalError(
            f"{name}: a chart needs the Helm SDK: pip install 'gitops-wf[helm]'",
            reason="RendererMissing",
        )
    if "error" in answer:
        raise DefinitionError(name, None, f"Helm: {cut(answer['error'], _SHOWN)}")
    return [File(path=path, data=text.encode()) for path, text in answer["files"]]
