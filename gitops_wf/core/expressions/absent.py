"""Conditions over objects that may lack any field: what is absent makes them false.

CEL calls reading a field that is not there an error, and an object of Kubernetes
lacks most of its status until a controller has seen it. `guarded` therefore writes
each smallest condition (a comparison, a test, a macro) so that it is asked only where
every field that it reads is there, and is false otherwise. `&&`, `||`, `!` and `?:`
around it keep their meaning.
"""

from collections.abc import Iterator
from dataclasses import replace

from gitops_wf.core.expressions.nodes import (
    Choice,
    Has,
    Index,
    Literal,
    Macro,
    Name,
    Node,
    Operation,
    Path,
    Select,
    Unary,
    children,
)

_JOINING = frozenset({"&&", "||"})


def guarded(node: Node) -> Node:
    """The condition `node`, with what it reads asked for first."""
    match node:
        case Literal():
            return node
        case Operation(operator=operator, operands=operands) if operator in _JOINING:
            return replace(node, operands=tuple(map(guarded, operands)))
        case Unary(operator="!", operand=operand):
            return replace(node, operand=guarded(operand))
        case Choice(condition=condition, yes=yes, no=no):
            return replace(
                node, condition=guarded(condition), yes=guarded(yes), no=guarded(no)
            )
        case Has(operand=operand):
            return _with(_needed(operand), node)
        case Macro(items=items, bodies=bodies):
            inner = replace(node, bodies=tuple(map(guarded, bodies)))
            return _with(_needed(items), inner)
        case _:
            return _with(_needed(node), node)


def guarded_value(node: Node) -> Node:
    """The value `node`, with the conditions of its `?:` guarded."""
    if not isinstance(node, Choice):
        return node
    return replace(
        node,
        condition=guarded(node.condition),
        yes=guarded_value(node.yes),
        no=guarded_value(node.no),
    )


def _with(needed: Iterator[Has], node: Node) -> Node:
    guards = tuple(dict.fromkeys(needed))
    if not guards:
        return node
    return Operation(offset=node.offset, operator="&&", operands=(*guards, node))


def _needed(node: Node) -> Iterator[Has]:
    """What must be there before `node` can be evaluated, outermost first."""
    match node:
        case Path(keys=()) | Has() | Choice():
            # A root is always there; the other two ask for themselves.
            return
        case Path(offset=offset, root=root, keys=keys):
            parent = Path(offset=offset, root=root, keys=keys[:-1])
            yield Has(offset=offset, operand=parent, name=keys[-1])
        case Select(offset=offset, operand=operand, name=name):
            yield from _needed(operand)
            yield Has(offset=offset, operand=operand, name=name)
        case Index(operand=operand, key=key):
            yield from _needed(operand)
            yield from _needed(key)
        case Macro(items=items):
            yield from _needed(items)
        case Name():
            return
        case _:
            for child in children(node):
                yield from _needed(child)
