"""A checked expression and its evaluation."""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.expressions.canonical import Canonical, canonical
from gitops_wf.core.expressions.cost import (
    BUDGET,
    HAND_OVER,
    Size,
    check_patterns,
    cost_of,
)
from gitops_wf.core.expressions.errors import ExpressionError
from gitops_wf.core.expressions.names import OPEN_SCOPE, Reads, Scope, check_names
from gitops_wf.core.expressions.nodes import Call, Macro, Node, Path, children, walk
from gitops_wf.core.expressions.syntax import parse_syntax
from gitops_wf.core.expressions.values import look_up, measured, to_json

MAX_MACROS = 2
"""A macro may stand inside one other, not deeper."""

SMALL = Size(length=50, weight=200, item=20)
"""Sizes of data at which every accepted expression is cheap enough."""

_UNDEFINED = re.compile(r"'([vh]\d+)'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """CEL that passed the checks of syntax, names and cost.

    `null_is_absent`: a field that is null is not there. `small_cost` is the bound
    for data no larger than `SMALL`.
    """

    text: str
    reads: Reads
    root: Node = field(compare=False, repr=False)
    written: Canonical = field(compare=False, repr=False)
    small_cost: float = field(compare=False, repr=False)
    null_is_absent: bool = False

    @property
    def reads_status(self) -> bool:
        """Whether it depends on how steps ended."""
        return "status" in self.reads.roots

    @property
    def steps(self) -> frozenset[str]:
        """The steps whose status it reads by name."""
        return self.reads.steps

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Its value, of plain JSON types; raises ExpressionError."""
        written = self.written
        program = _program(written.text)
        context: dict[str, Any] = {}
        sizes: dict[tuple[str, tuple[str, ...]], Size] = {}
        for variable, path in written.values.items():
            is_there, value = look_up(variables, path)
            if is_there:
                plain, size = measured(value, str(path))
                context[variable] = plain
                sizes[path.root, path.keys] = size
        for variable, path in written.presences.items():
            is_there, value = look_up(variables, path)
            context[variable] = is_there and not (self.null_is_absent and value is None)
        self._check_cost(sizes)
        try:
            value = program.execute(context)
        except Exception as exc:
            raise ExpressionError(_evaluation_message(exc, written)) from exc
        except BaseException as exc:
            # The evaluator is Rust; a panic there is no Exception here.
            if type(exc).__name__ != "PanicException":
                raise
            raise ExpressionError("the expression cannot be evaluated") from exc
        return to_json(value)

    def evaluate_bool(self, variables: Mapping[str, Any]) -> bool:
        """Its value, which must be true or false."""
        value = self.evaluate(variables)
        if not isinstance(value, bool):
            raise ExpressionError(
                f"`{cut(self.text, 80)}` must be true or false, not"
                f" {cut(str(value), 40)}; compare it with something"
            )
        return value

    def _check_cost(self, sizes: Mapping[tuple[str, tuple[str, ...]], Size]) -> None:
        nothing = Size(length=1, weight=1, item=1)

        def size_of(path: Path) -> Size:
            return sizes.get((path.root, path.keys), nothing)

        handed_over = sum(size.weight for size in sizes.values()) * HAND_OVER
        is_small = all(map(_is_small, sizes.values()))
        if is_small and self.small_cost + handed_over <= BUDGET:
            # Known since it was read: less data costs no more.
            return
        if cost_of(self.root, size_of) + handed_over > BUDGET:
            largest = max(sizes, key=lambda key: sizes[key].weight, default=None)
            what = "its data"
            if largest is not None:
                path = Path(offset=0, root=largest[0], keys=largest[1])
                what = f"`{path}` with {sizes[largest].length} items"
            raise ExpressionError(
                f"`{cut(self.text, 80)}` would take too long for {what}; read less, or"
                " use all, exists or exists_one in place of map and filter"
            )


def _is_small(size: Size) -> bool:
    return (
        size.weight <= SMALL.weight
        and size.length <= SMALL.length
        and size.item <= SMALL.item
    )


@functools.lru_cache(maxsize=4096)
def parse(
    text: str,
    *,
    scope: Scope = OPEN_SCOPE,
    guard: Callable[[Node], Node] | None = None,
) -> Expression:
    """Check `text` and return the expression; raises ExpressionError.

    `guard` is of `absent`, for what is read from an object that may lack any field.
    """
    root = parse_syntax(text)
    if guard is not None:
        root = guard(root)
    _check_macros(root)
    check_patterns(
        [n for n in walk(root) if isinstance(n, Call) and n.function == "matches"]
    )
    reads = check_names(root, text, scope)
    small_cost = cost_of(root, lambda _: SMALL)
    if small_cost > BUDGET:
        raise ExpressionError(
            f"the expression is too costly: it would take too long even for lists of"
            f" {SMALL.length} items; split it over steps or make it simpler",
            root.offset,
        )
    written = canonical(root)
    _program(written.text)
    return Expression(
        text=text,
        reads=reads,
        root=root,
        written=written,
        small_cost=small_cost,
        null_is_absent=guard is not None,
    )


def _check_macros(root: Node) -> None:
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        if not isinstance(node, Macro):
            stack.extend((child, depth) for child in children(node))
            continue
        if depth == MAX_MACROS:
            raise ExpressionError(
                f"`{node.macro}` stands inside more than one other of all, exists,"
                " exists_one, map and filter; at most one inside another is accepted",
                node.offset,
            )
        stack.append((node.items, depth))
        stack.extend((body, depth + 1) for body in node.bodies)


@functools.lru_cache(maxsize=4096)
def _program(written: str) -> Any:
    import cel  # 0.3 s, which a command without expressions saves

    try:
        return cel.compile(written)
    except ValueError as exc:
        raise ExpressionError(
            f"the expression is not understood: {_first_line(exc)}"
        ) from exc


def _evaluation_message(exc: Exception, written: Canonical) -> str:
    text = str(exc)
    undefined = _UNDEFINED.search(text)
    if undefined is not None and undefined.group(1) in written.values:
        return f"`{written.values[undefined.group(1)]}` has no value"
    match exc:
        case KeyError():
            return f"a map has no key {cut(text, 80)}"
        case _:
            return f"the expression cannot be evaluated: {_first_line(exc)}"


def _first_line(exc: Exception) -> str:
    text = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
    return cut(text.split(". ")[0], 160)
