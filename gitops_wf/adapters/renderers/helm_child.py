"""The child that renders one chart: it reads a request and prints the templates.

    python -I -m gitops_wf.adapters.renderers.helm_child < request.json

Only this process loads the Helm library, within the limits that it was given.
"""

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Print JSON: ``{"files": [[path, text], …]}`` or ``{"error": text}``."""
    answer: dict[str, Any]
    try:
        answer = {"files": _rendered(json.load(sys.stdin))}
    except ModuleNotFoundError:
        answer = {"missing": True}
    except Exception as exc:  # the library's own words are what the user must read
        answer = {"error": str(exc)}
    json.dump(answer, sys.stdout)


def _rendered(request: dict[str, Any]) -> list[list[str]]:
    from helm_python import Chart, dependency_list, values_from_yaml

    values: dict[str, Any] = {}
    for path in request["values"]:
        merge(values, values_from_yaml(Path(path).read_text(encoding="utf-8")))
    missing = [
        each["name"]
        for each in dependency_list(request["chart"])
        if each["status"] not in {"ok", "unpacked"}
    ]
    if missing:
        raise ValueError(
            f"its dependencies {', '.join(missing)} are not in charts/: nothing is "
            "fetched at a release, so run `helm dependency update` and commit charts/"
        )
    with Chart.load(request["chart"]) as chart:
        chart.validate_schema(values)
        templates = chart.render(
            values, name=request["release"], namespace=request["namespace"]
        )
        crds = [[each["filename"], each["data"]] for each in chart.crds]
    return crds + [
        [path, text]
        for path, text in sorted(templates.items())
        if not path.endswith(("NOTES.txt", ".tpl")) and text.strip()
    ]


def merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    """Merge values as Helm does: maps by key, everything else replaced.

    https://helm.sh/docs/chart_template_guide/values_files/
    """
    for key, value in more.items():
        old = into.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merge(old, value)
        else:
            into[key] = value


if __name__ == "__main__":
    main()
