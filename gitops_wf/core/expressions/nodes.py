"""What an expression is made of: the syntax tree that checks and evaluation read."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A part of an expression; `offset` is where its text starts."""

    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Node):
    """A constant. `text` is CEL that means `value`."""

    value: str | float | bool | bytes | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Node):
    """A root such as `status`, or the variable of a macro around it."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Path(Node):
    """A root and the fields and literal keys after it: `status["go-live"].phase`."""

    root: str
    keys: tuple[str, ...]

    def __str__(self) -> str:
        """The path as it would be written."""
        return "".join(
            [
                self.root,
                *(
                    f".{key}" if key.isidentifier() else f'["{key}"]'
                    for key in self.keys
                ),
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Select(Node):
    """`operand.name` where the operand is computed."""

    operand: Node
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Node):
    """`operand[key]`."""

    operand: Node
    key: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Has(Node):
    """`has(operand.name)`: whether the field is there."""

    operand: Node
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    """A function of values; a method's receiver is the first argument."""

    function: str
    is_method: bool
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro(Node):
    """`items.macro(variable, body…)`: the bodies are evaluated for each item."""

    macro: str
    items: Node
    variable: str
    bodies: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf(Node):
    """`{key: value}`."""

    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Node):
    """`!a` or `-a`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Node):
    """Operands joined by one operator, from the left: `a + b + c` is one of them."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Node):
    """`condition ? yes : no`."""

    condition: Node
    yes: Node
    no: Node


def children(node: Node) -> tuple[Node, ...]:
    """The parts directly inside `node`."""
    match node:
        case Select(operand=operand) | Has(operand=operand) | Unary(operand=operand):
            return (operand,)
        case Index(operand=operand, key=key):
            return (operand, key)
        case Call(arguments=arguments):
            return arguments
        case Macro(items=items, bodies=bodies):
            return (items, *bodies)
        case ListOf(items=parts):
            return parts
        case MapOf(entries=entries):
            return tuple(part for entry in entries for part in entry)
        case Operation(operands=operands):
            return operands
        case Choice(condition=condition, yes=yes, no=no):
            return (condition, yes, no)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything inside it, outermost first."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))
