"""Answers of Prometheus' query API, conditions over them, and for how long one held.

https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.expressions import Expression, ExpressionError, Scope, parse

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_COMPARISON = re.compile(
    r"(>=|<=|==|!=|>|<)\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
)
_SCOPE = Scope(roots=frozenset({"value"}), is_of_run=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCondition:
    """What a value must be: a comparison as in KubeVela's, or CEL over ``value``."""

    text: str
    bound: float = 0.0
    compare: Callable[[float, float], bool] | None = None
    expression: Expression | None = None

    @classmethod
    def parse(cls, text: str) -> "MetricCondition":
        """Read ``>=0.95``, or ``value > 0.5 && value < 1.0``. Errors: ValueError."""
        found = _COMPARISON.fullmatch(text.strip())
        if found is not None:
            return cls(
                text=text.strip(), bound=float(found[2]), compare=_COMPARISONS[found[1]]
            )
        written = text.strip()
        if written[:1] in {"<", ">", "=", "!"}:
            written = f"value {written}"
        try:
            expression = parse(written, scope=_SCOPE)
        except ExpressionError as exc:
            raise ValueError(
                f"{exc.message}; write a comparison such as >=0.95, or CEL over value"
            ) from exc
        if "value" not in expression.reads.roots:
            raise ValueError("the condition does not read value: it says nothing")
        return cls(text=written, expression=expression)

    def holds(self, value: float) -> bool:
        """Whether it holds. Errors: TerminalError where that cannot be said."""
        if self.compare is not None:
            return self.compare(value, self.bound)
        assert self.expression is not None
        try:
            return self.expression.evaluate_bool({"value": value})
        except ExpressionError as exc:
            raise TerminalError(
                f"condition {cut(self.text, 80)}: {exc.message}",
                reason="InvalidExpression",
            ) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The one value that a query gave, and its labels; None: it gave no data."""

    value: float | None
    labels: Mapping[str, str] = field(default_factory=dict)


def sample_of(text: str) -> Sample:
    """Return the value in an answer: a scalar, or a vector of one element.

    An empty vector and NaN are no data: nothing was measured (yet). Errors:
    TerminalError where the answer is none of these.
    """
    try:
        body = json.loads(text)
        data = body["data"]
        kind, result = data["resultType"], data["result"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise TerminalError(
            f"the answer is none of Prometheus' query API: {cut(text, 120)}",
            reason="NotPrometheus",
        ) from exc
    if kind == "scalar":
        return Sample(value=_number(result))
    if kind != "vector":
        raise TerminalError(
            f"the query gives a {cut(str(kind), 32)}, and an instant vector or a scalar"
            " can be compared: take the range off it, or aggregate it over time",
            reason="InvalidQuery",
        )
    if len(result) > 1:
        names = "; ".join(_shown(each.get("metric") or {}) for each in result[:3])
        raise TerminalError(
            f"the query gives {len(result)} series ({names}"
            f"{'; …' if len(result) > 3 else ''}), and one can be compared: aggregate "
            "them, with sum() or min(), say",
            reason="InvalidQuery",
        )
    if not result:
        return Sample(value=None)
    labels = {str(k): str(v) for k, v in (result[0].get("metric") or {}).items()}
    return Sample(value=_number(result[0].get("value")), labels=labels)


def _number(pair: Any) -> float | None:
    try:
        value = float(pair[1])
    except (TypeError, ValueError, IndexError) as exc:
        raise TerminalError(
            f"the answer holds no number: {cut(str(pair), 64)}", reason="NotPrometheus"
        ) from exc
    return None if math.isnan(value) else value


def _shown(labels: Mapping[str, Any]) -> str:
    pairs = ", ".join(f"{name}={value}" for name, value in labels.items())
    return cut(f"{{{pairs}}}", 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Since when a condition holds, or does not; at most one of both is known."""

    good_since: datetime | None = None
    bad_since: datetime | None = None
    seen: datetime | None = None

    def after(self, is_good: bool, now: datetime, *, gap: timedelta) -> "Watch":  # noqa: FBT001 - what was seen
        """Return it after a look; longer unseen than ``gap``, nothing is known."""
        known = self if self.seen is not None and now - self.seen <= gap else Watch()
        if is_good:
            since = known.good_since or now
            return replace(known, good_since=since, bad_since=None, seen=now)
        since = known.bad_since or now
        return replace(known, good_since=None, bad_since=since, seen=now)

    def verdict(
        self, now: datetime, *, good_for: timedelta, bad_for: timedelta
    ) -> bool | None:
        """Return whether it held, or did not, for as long as it takes; else None."""
        if self.good_since is not None and now - self.good_since >= good_for:
            return True
        if self.bad_since is not None and now - self.bad_since >= bad_for:
            return False
        return None
