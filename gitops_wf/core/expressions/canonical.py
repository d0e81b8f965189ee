"""An expression written again for the evaluator.

The evaluator has a parser of its own. It gets only text that is written here from the
checked tree, so that it cannot read anything else than what was checked. Each path
becomes a variable of its own, `v0`, `v1`…: the evaluator copies a whole map for each
field that it takes out of it.
"""

from dataclasses import dataclass

from gitops_wf.core.expressions.literals import quoted
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
from gitops_wf.core.expressions.syntax import RESERVED, TYPE_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Canonical:
    """CEL text, and what its variables stand for.

    `values` are paths by variable; `presences` are paths of which the variable says
    whether they are there.
    """

    text: str
    values: dict[str, Path]
    presences: dict[str, Path]


def canonical(root: Node) -> Canonical:
    """Write `root` for the evaluator."""
    writer = _Writer()
    text = writer.write(root)
    return Canonical(text=text, values=writer.values, presences=writer.presences)


class _Writer:
    def __init__(self) -> None:
        self.values: dict[str, Path] = {}
        self.presences: dict[str, Path] = {}
        self._variables: dict[tuple[str, str, tuple[str, ...]], str] = {}

    def write(self, node: Node) -> str:
        match node:
            case Literal(text=text):
                return f"({text})" if text.startswith("-") else text
            case Path():
                return self._variable("v", self.values, node)
            case Name(name=name):
                return name if name in TYPE_NAMES else f"item_{name}"
            case Has(operand=Path() as path, name=name):
                whole = Path(
                    offset=node.offset, root=path.root, keys=(*path.keys, name)
                )
                return self._variable("h", self.presences, whole)
            case Has(operand=operand, name=name):
                if name in RESERVED:
                    return f"({quoted(name)} in {self.write(operand)})"
                return f"has({self.write(operand)}.{name})"
            case Select(operand=operand, name=name):
                return f"{self.write(operand)}[{quoted(name)}]"
            case Index(operand=operand, key=key):
                return f"{self.write(operand)}[{self.write(key)}]"
            case Unary(operator=operator, operand=operand):
                return f"({operator}{self.write(operand)})"
            case Operation(operator=operator, operands=operands):
                return "(" + f" {operator} ".join(map(self.write, operands)) + ")"
            case Choice(condition=condition, yes=yes, no=no):
                first = self.write(condition)
                return f"({first} ? {self.write(yes)} : {self.write(no)})"
            case ListOf(items=items):
                return "[" + ", ".join(map(self.write, items)) + "]"
            case MapOf(entries=entries):
                written = (f"{self.write(k)}: {self.write(v)}" for k, v in entries)
                return "{" + ", ".join(written) + "}"
            case Call(function=function, is_method=is_method, arguments=arguments):
                parts = tuple(map(self.write, arguments))
                if is_method:
                    return f"{parts[0]}.{function}({', '.join(parts[1:])})"
                return f"{function}({', '.join(parts)})"
            case Macro(macro=macro, items=items, variable=variable, bodies=bodies):
                inner = ", ".join(map(self.write, bodies))
                return f"{self.write(items)}.{macro}(item_{variable}, {inner})"
            case _:
                raise AssertionError(f"no text for {type(node).__name__}")

    def _variable(self, kind: str, table: dict[str, Path], path: Path) -> str:
        key = (kind, path.root, path.keys)
        if key not in self._variables:
            self._variables[key] = f"{kind}{len(table)}"
            table[self._variables[key]] = path
        return self._variables[key]
