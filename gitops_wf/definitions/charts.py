"""The Helm chart that an environment delivers, found in its repository."""

from collections.abc import Callable, Mapping

from gitops_wf.core.environment import HelmChart
from gitops_wf.core.identifiers import TargetName
from gitops_wf.definitions.environment_file import HelmPart
from gitops_wf.definitions.environment_rules import resolved
from gitops_wf.definitions.problems import Problem, line_at

Read = Callable[[str], bytes | None]


def chart_of(
    part: HelmPart, folder: str, path: str, document: Mapping[str, object], read: Read
) -> tuple[HelmChart | None, list[Problem]]:
    """Return the chart with paths from the repository's root, and what is missing.

    ``path`` is of environment.yaml, ``document`` what it holds. A chart from a registry
    would be another one each time: it is to be in the repository, with what it depends
    on in its charts/.
    """
    problems: list[Problem] = []

    def found(text: str, place: tuple[str | int, ...], wanted: str = "") -> str:
        target = resolved(folder, text)
        if target is None:
            message = f"`{text}` leads out of the repository: refer to what is in it"
        elif read("/".join(filter(None, (target, wanted)))) is None:
            where = target or "the root"
            what = f"{wanted} in {where}" if wanted else f"file {where}"
            message = f"there is no {what}; charts and values stand in the repository"
        else:
            return target
        line = line_at(document, ("helm", *place))
        problems.append(
            Problem(rule="chart-missing", path=path, line=line, message=message)
        )
        return ""

    chart = HelmChart(
        chart=found(part.chart, ("chart",), "Chart.yaml"),
        release=part.release or "",
        values=tuple(
            found(text, ("values", number)) for number, text in enumerate(part.values)
        ),
        target_values={
            TargetName(name): tuple(
                found(text, ("targets", name, number))
                for number, text in enumerate(texts)
            )
            for name, texts in part.targets.items()
        },
    )
    return (None if problems else chart), problems


def needs(chart: HelmChart, folder: str) -> tuple[str, ...]:
    """Return the paths outside a folder that a chart needs: inputs like the folder."""
    files = [path for paths in chart.target_values.values() for path in paths]
    return tuple(
        path
        for path in (chart.chart, *chart.values, *files)
        if folder and path != folder and not path.startswith(f"{folder}/")
    )
