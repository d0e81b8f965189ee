"""The three forms of a step's `if`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_wf.core.expressions.expression import Expression, parse
from gitops_wf.core.expressions.names import OPEN_SCOPE, Scope

ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When a step runs.

    Absent: when nothing before it failed. `always`: in any case. An expression that
    reads `status` decides alone; any other is joined with "nothing before it failed",
    else an approval would be asked for a failed deployment.
    """

    is_always: bool = False
    expression: Expression | None = None

    @property
    def decides_alone(self) -> bool:
        """Whether failures before the step do not matter by themselves."""
        if self.expression is None:
            return self.is_always
        return self.expression.reads_status

    def holds(self, variables: Mapping[str, Any], *, nothing_failed: bool) -> bool:
        """Whether the step runs; raises ExpressionError."""
        if not nothing_failed and not self.decides_alone:
            return False
        return self.expression is None or self.expression.evaluate_bool(variables)


def parse_condition(text: str | None, *, scope: Scope = OPEN_SCOPE) -> Condition:
    """Read an `if`; raises ExpressionError."""
    if text is None:
        return Condition()
    if text.strip() == ALWAYS:
        return Condition(is_always=True)
    return Condition(expression=parse(text, scope=scope))
