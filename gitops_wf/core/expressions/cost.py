"""An upper bound of what evaluating an expression costs, from the sizes of its data.

The evaluator has no limit of its own and holds the interpreter's lock, so an
expression is evaluated only when this bound is small. The unit is about 100 ns of the
evaluator on a slow machine. What was measured on it and is charged here:

- `map` and `filter` copy the whole result so far, deeply, for each item kept: their
  cost grows with the square of the list;
- adding strings or lists copies both;
- `matches` compiles its pattern at each call; a class of Unicode letters takes 0.4 ms;
- handing a map over costs about 6 µs.

A size is a linear form over the items of the macros around it (`Form`), because the
items of one list together weigh no more than the list: the sum over a loop is exact
where the cost is linear, and bounded where it is not.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gitops_wf.core.expressions.errors import ExpressionError
from gitops_wf.core.expressions.nodes import (
    Call,
    Choice,
    Has,
    Index,
    ListOf,
    Literal,
    Macro,
    MapOf,
    Name,
    Node,
    Operation,
    Path,
    Select,
    Unary,
)

BUDGET = 400_000
HAND_OVER = 8.0
"""What it costs to hand over data of weight 1, besides evaluating."""
MAX_PATTERN = 100
_STEP = 2.0
_TIMES = re.compile(r"\{(\d*)(?:,(\d*))?\}")
_CLASS = re.compile(r"\\[wWdDsSbBpP]|\(\?|\[\^|\.")
_BYTES_PER_UNIT = 64


@dataclass(frozen=True, slots=True)
class Size:
    """Of a value: how many items it has, its whole weight, and its heaviest item.

    Weight counts a scalar as 1, a string as 3 and one more for every 64 characters, a
    list as 1 and its items, a map as 2 and, for each entry, its key and its value.
    """

    length: int
    weight: int
    item: int


@dataclass(frozen=True, slots=True)
class Form:
    """`constant + Σ factor · (weight of a macro's item)`, an upper bound."""

    constant: float = 0.0
    factors: Mapping[int, float] = field(default_factory=dict)

    def __add__(self, other: "Form") -> "Form":
        """Their sum."""
        factors = dict(self.factors)
        for loop, factor in other.factors.items():
            factors[loop] = factors.get(loop, 0.0) + factor
        return Form(self.constant + other.constant, factors)

    def times(self, number: float) -> "Form":
        """This form, `number` times."""
        return Form(
            self.constant * number,
            {loop: factor * number for loop, factor in self.factors.items()},
        )


@dataclass(frozen=True, slots=True)
class _Estimate:
    """Of a part: what it costs, and how long and heavy its value can be."""

    cost: Form
    length: Form
    weight: Form
    item: float = 1.0


def cost_of(root: Node, sizes: Callable[[Path], Size]) -> float:
    """The bound for `root`, given the size of what each path leads to."""
    return _Estimator(sizes).total(root)


def check_patterns(calls: list[Call]) -> None:
    """Refuse `matches` with a computed or a long pattern."""
    for call in calls:
        pattern = call.arguments[1]
        if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
            raise ExpressionError(
                "`matches` needs its pattern written out as a string", pattern.offset
            )
        if len(pattern.value) > MAX_PATTERN:
            raise ExpressionError(
                f"the pattern of `matches` is longer than {MAX_PATTERN} characters",
                pattern.offset,
            )


class _Estimator:
    def __init__(self, sizes: Callable[[Path], Size]) -> None:
        self._sizes = sizes
        self._names: dict[str, int] = {}
        self._bounds: dict[int, float] = {}

    def total(self, root: Node) -> float:
        estimate = self._estimate(root)
        # The value also has to be brought out and checked.
        return self._highest(estimate.cost) + 5 * self._highest(estimate.weight)

    def _highest(self, form: Form) -> float:
        return form.constant + sum(
            factor * self._bounds[loop] for loop, factor in form.factors.items()
        )

    def _product(self, a: Form, b: Form) -> Form:
        """An upper bound of the product that is linear again."""
        factors: dict[int, float] = {}
        for loop, factor in a.factors.items():
            factors[loop] = factor * self._highest(b)
        for loop, factor in b.factors.items():
            factors[loop] = factors.get(loop, 0.0) + factor * a.constant
        return Form(a.constant * b.constant, factors)

    def _smaller(self, a: Form, b: Form) -> Form:
        return a if self._highest(a) <= self._highest(b) else b

    @staticmethod
    def _larger(a: Form, b: Form) -> Form:
        return Form(
            max(a.constant, b.constant),
            {
                loop: max(a.factors.get(loop, 0.0), b.factors.get(loop, 0.0))
                for loop in {*a.factors, *b.factors}
            },
        )

    def _estimate(self, node: Node) -> _Estimate:
        one = Form(1.0)
        step = Form(_STEP)
        match node:
            case Literal(text=text):
                return _Estimate(step, one, Form(3.0 + len(text) / _BYTES_PER_UNIT))
            case Path():
                size = self._sizes(node)
                return _Estimate(
                    step, Form(size.length), Form(size.weight), float(size.item)
                )
            case Name(name=name):
                loop = self._names.get(name)
                item = one if loop is None else Form(0.0, {loop: 1.0})
                return _Estimate(step, item, item, self._highest(item))
            case Has(operand=Path()):
                return _Estimate(step, one, one)
            case Has(operand=operand):
                inner = self._estimate(operand)
                return _Estimate(inner.cost + inner.weight + step, one, one)
            case Select(operand=operand):
                inner = self._estimate(operand)
                return self._part(inner.cost + step, inner)
            case Index(operand=operand, key=key):
                inner = self._estimate(operand)
                cost = inner.cost + self._estimate(key).cost + step
                if not isinstance(operand, Path | Name | Select | Index):
                    cost += inner.weight  # a computed list is copied for one item
                return self._part(cost, inner)
            case Unary(operand=operand):
                return _Estimate(self._estimate(operand).cost + step, one, one)
            case Choice(condition=condition, yes=yes, no=no):
                parts = [self._estimate(part) for part in (condition, yes, no)]
                return _Estimate(
                    parts[0].cost + parts[1].cost + parts[2].cost + step,
                    self._larger(parts[1].length, parts[2].length),
                    self._larger(parts[1].weight, parts[2].weight),
                    max(parts[1].item, parts[2].item),
                )
            case ListOf(items=items):
                return self._collection([self._estimate(item) for item in items], one)
            case MapOf(entries=entries):
                parts = [self._estimate(p) for entry in entries for p in entry]
                return self._collection(parts, Form(2.0 + 2.0 * len(entries)))
            case Operation(operator=operator, operands=operands):
                return self._operation(operator, operands)
            case Call():
                return self._call(node)
            case Macro():
                return self._macro(node)
            case _:
                raise AssertionError(f"no cost for {type(node).__name__}")

    def _part(self, cost: Form, whole: _Estimate) -> _Estimate:
        """Of something inside `whole`."""
        return _Estimate(cost, whole.weight, whole.weight, self._highest(whole.weight))

    def _collection(self, parts: list[_Estimate], own: Form) -> _Estimate:
        cost = Form(_STEP)
        weight = own
        for part in parts:
            cost = cost + part.cost + part.weight
            weight += part.weight
        item = max((self._highest(part.weight) for part in parts), default=1.0)
        return _Estimate(cost, Form(float(max(1, len(parts)))), weight, item)

    def _operation(self, operator: str, operands: tuple[Node, ...]) -> _Estimate:
        parts = [self._estimate(operand) for operand in operands]
        cost = Form(_STEP * len(parts))
        for part in parts:
            cost += part.cost
        first, second = parts[0], parts[-1]
        if operator == "+":
            length, weight = first.length, first.weight
            for part in parts[1:]:
                length += part.length
                weight += part.weight
                cost += weight
            return _Estimate(cost, length, weight, max(part.item for part in parts))
        if operator in {"==", "!=", "<", "<=", ">", ">="}:
            cost += self._smaller(first.weight, second.weight).times(0.5)
        elif operator == "in":
            cost += second.weight.times(0.5)
        return _Estimate(cost, Form(1.0), Form(1.0))

    def _call(self, node: Call) -> _Estimate:
        parts = [self._estimate(argument) for argument in node.arguments]
        cost = Form(5.0)
        for part in parts:
            cost += part.cost
        receiver = parts[0]
        if node.function == "matches":
            pattern = node.arguments[1]
            assert isinstance(pattern, Literal)
            compiling, searching = _pattern_cost(str(pattern.value))
            cost += Form(compiling) + receiver.weight.times(searching)
        elif node.function == "size":
            cost += receiver.weight.times(0.1)
        elif node.function in {"startsWith", "endsWith"}:
            cost += parts[-1].weight
        elif node.function == "contains":
            cost += receiver.weight.times(4.0)
        else:
            cost += receiver.weight.times(2.0)
        if node.function in {"dyn", "string"}:
            weight = receiver.weight + Form(3.0)
            return _Estimate(cost, receiver.length, weight, receiver.item)
        return _Estimate(cost, Form(1.0), Form(1.0))

    def _macro(self, node: Macro) -> _Estimate:
        items = self._estimate(node.items)
        count, weight = items.length, items.weight
        loop = len(self._bounds)
        self._bounds[loop] = min(items.item, self._highest(weight))
        outer = self._names.get(node.variable)
        self._names[node.variable] = loop
        bodies = [self._estimate(body) for body in node.bodies]
        if outer is None:
            del self._names[node.variable]
        else:
            self._names[node.variable] = outer
        each = Form(2 * _STEP)
        for body in bodies:
            each += body.cost
        cost = (
            items.cost + items.weight.times(0.1) + self._sum(each, count, weight, loop)
        )
        if node.macro not in {"map", "filter"}:
            return _Estimate(cost, Form(1.0), Form(1.0))
        if node.macro == "map":
            kept = self._sum(bodies[-1].weight, count, weight, loop)
            item = self._highest(bodies[-1].weight)
        else:
            kept, item = weight, items.item
        # Each item kept copies what was kept before it.
        cost += self._product(count, kept).times(0.6) + kept
        return _Estimate(cost, count, kept + Form(1.0), item)

    def _sum(self, each: Form, count: Form, weight: Form, loop: int) -> Form:
        """`each`, summed over the items of a list."""
        rest = Form(each.constant, {k: v for k, v in each.factors.items() if k != loop})
        return self._product(count, rest) + weight.times(each.factors.get(loop, 0.0))


def _pattern_cost(pattern: str) -> tuple[float, float]:
    """Of a regular expression: compiling it, and searching one unit of text.

    Repetition copies what it repeats into the compiled program, and a class of
    Unicode characters is a large program of its own. Searching is linear, at worst
    with one step for each character and state.
    """
    times = 1
    for low, high in _TIMES.findall(pattern):
        times *= max(1, int(low[:6] or 0), int(high[:6] or 0))
        if times > 1_000_000:
            break
    classes = len(_CLASS.findall(pattern))
    states = len(pattern) * times
    compiling = 150.0 + 5.0 * states + 5_000.0 * classes * times
    searching = 2.0 * _BYTES_PER_UNIT * min(states, 100) / 10
    return compiling, searching
