"""A step's properties as its runner gets them: expressions and inputs filled in."""

from collections.abc import Mapping
from typing import Any

from gitops_wf.core.engine.variables import find, variables_for
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.expressions import ExpressionError, parse_template
from gitops_wf.core.phases import Reason
from gitops_wf.core.run import Run
from gitops_wf.core.workflow import Step


def filled(run: Run, step: Step) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the properties, and the variables that filled them.

    Errors: TerminalError(InvalidExpression) naming the property.
    """
    seen = variables_for(run, step)
    properties: dict[str, Any] = _fill(dict(step.properties), seen, "properties")
    for item in step.inputs:
        if item.parameter_key:
            _put(properties, item.parameter_key, find(seen, item.source))
    return properties, seen


def _fill(value: Any, seen: Mapping[str, Any], where: str) -> Any:
    if isinstance(value, str):
        if "${{" not in value:
            return value
        try:
            return parse_template(value).render(seen)
        except ExpressionError as error:
            raise TerminalError(
                f"{where}: {error}", reason=Reason.INVALID_EXPRESSION
            ) from error
    if isinstance(value, Mapping):
        return {k: _fill(v, seen, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_fill(v, seen, f"{where}[{i}]") for i, v in enumerate(value)]
    return value


def _put(properties: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key, making the maps on the way."""
    *path, last = key.split(".")
    place = properties
    for part in path:
        inner = place.get(part)
        if not isinstance(inner, dict):
            inner = place[part] = {}
        place = inner
    place[last] = value
