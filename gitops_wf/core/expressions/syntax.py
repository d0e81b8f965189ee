"""CEL text to a syntax tree, within limits of length and depth.

cel-python's grammar parses; nothing of its evaluation is used.
https://github.com/google/cel-spec/blob/master/doc/langdef.md
"""

import functools
from typing import TYPE_CHECKING, Any

from gitops_wf.core.expressions.errors import ExpressionError, did_you_mean
from gitops_wf.core.expressions.literals import MaskedText, mask, quoted
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

if TYPE_CHECKING:
    from lark import Token, Tree

MAX_BYTES = 2048
MAX_DEPTH = 32
MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
# Those that the evaluator knows, by how they are written, with the number of arguments
# (the receiver of a method included).
METHODS = {
    "contains": 2, "endsWith": 2, "getDate": 1, "getDayOfMonth": 1, "getDayOfWeek": 1,
    "getDayOfYear": 1, "getFullYear": 1, "getHours": 1, "getMilliseconds": 1,
    "getMinutes": 1, "getMonth": 1, "getSeconds": 1, "matches": 2, "size": 1,
    "startsWith": 2,
}  # fmt: skip
FUNCTIONS = {
    "double": 1, "duration": 1, "dyn": 1, "int": 1, "matches": 2, "size": 1,
    "string": 1, "timestamp": 1, "type": 1, "uint": 1,
}  # fmt: skip
# `type(x) == int` compares with these; they name nothing of ours.
TYPE_NAMES = frozenset(
    {"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"}
)
RESERVED = frozenset(
    {
        "as", "break", "const", "continue", "else", "false", "for", "function", "if",
        "import", "in", "let", "loop", "namespace", "null", "package", "return",
        "true", "var", "void", "while",
    }
)  # fmt: skip
_OPERATORS = {
    "relation_lt": "<", "relation_le": "<=", "relation_gt": ">", "relation_ge": ">=",
    "relation_eq": "==", "relation_ne": "!=", "relation_in": "in",
    "addition_add": "+", "addition_sub": "-",
    "multiplication_mul": "*", "multiplication_div": "/", "multiplication_mod": "%",
    "conditionalor": "||", "conditionaland": "&&",
}  # fmt: skip
_CHAINS = frozenset({"||", "&&", "+"})


def parse_syntax(text: str) -> Node:
    """The tree of `text`; raises ExpressionError with the offset of the problem."""
    size = len(text.encode("utf-8", "replace"))
    if size > MAX_BYTES:
        raise ExpressionError(
            f"the expression has {size} bytes; at most {MAX_BYTES} are accepted"
        )
    if not text.strip():
        raise ExpressionError("the expression is empty", 0)
    masked = mask(text)
    _check_nesting(masked.text)
    tree = _parsed(text, masked)
    return _Reader(masked).node(tree)


@functools.cache
def _parser() -> Any:
    # Building the grammar takes 0.2 s, which a command without expressions saves.
    from celpy.celparser import CELParser

    return CELParser()


def _parsed(text: str, masked: MaskedText) -> "Tree[Token]":
    from celpy.celparser import CELParseError

    try:
        tree: Tree[Token] = _parser().parse(masked.text)
    except CELParseError as exc:
        token = getattr(exc.__context__, "token", None)
        if token is not None and token.type == "$END":
            raise ExpressionError("the expression ends too early", len(text)) from exc
        offset = _offset(masked.text, exc.line, exc.column)
        raise ExpressionError(_syntax_message(text, offset), offset) from exc
    return tree


def _offset(text: str, line: int | None, column: int | None) -> int:
    if line is None or column is None or line < 1 or column < 1:
        return len(text)
    lines = text.split("\n")
    return min(len(text), sum(len(one) + 1 for one in lines[: line - 1]) + column - 1)


def _syntax_message(text: str, offset: int) -> str:
    rest = text[offset : offset + 20].strip()
    hints = {
        "=": "; compare with `==`",
        "&": "; write `&&`",
        "|": "; write `||`",
        "`": '; write a name with `-` as `status.go_live` or `status["go-live"]`',
    }
    return f"unexpected `{rest}`{hints.get(rest[:1], '')}"


def _check_nesting(masked: str) -> None:
    """Refuse deep brackets before the tree is built."""
    depth = 0
    run = 0
    for position, char in enumerate(masked):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        run = run + 1 if char in "!-" else 0 if not char.isspace() else run
        if max(depth, run) > MAX_DEPTH:
            raise ExpressionError(
                f"the expression is nested deeper than {MAX_DEPTH}", position
            )


def _start(tree: Any) -> int:
    # The grammar gives `true` and `false` no position of their own.
    return getattr(tree.meta, "start_pos", None) or 0


class _Reader:
    """Turns the grammar's tree, which is deep and thin, into nodes."""

    def __init__(self, masked: MaskedText) -> None:
        self._strings = masked.strings
        self._bound: list[str] = []
        self._depth = 0

    def node(self, tree: Any) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(
                f"the expression is nested deeper than {MAX_DEPTH}", _start(tree)
            )
        node = self._read(tree)
        self._depth -= 1
        return node

    def _read(self, tree: Any) -> Node:
        while len(tree.children) == 1 and tree.data in {
            "expr", "conditionalor", "conditionaland", "relation", "addition",
            "multiplication", "unary", "member", "primary", "paren_expr",
        }:  # fmt: skip
            tree = tree.children[0]
        offset = _start(tree)
        parts = tree.children
        match tree.data:
            case "expr":
                return Choice(
                    offset=offset,
                    condition=self.node(parts[0]),
                    yes=self.node(parts[1]),
                    no=self.node(parts[2]),
                )
            case (
                "conditionalor" | "conditionaland" | "relation" | "addition"
                | "multiplication"
            ):  # fmt: skip
                return self._operation(tree)
            case "unary":
                operator = "!" if parts[0].data == "unary_not" else "-"
                return Unary(
                    offset=offset, operator=operator, operand=self.node(parts[1])
                )
            case "member_dot":
                return self._select(self.node(parts[0]), str(parts[1]), offset)
            case "member_index":
                return self._index(self.node(parts[0]), self.node(parts[1]), offset)
            case "member_dot_arg":
                return self._method(tree)
            case "ident_arg":
                return self._function(tree)
            case "ident":
                return self._name(str(parts[0]), offset)
            case "literal":
                return self._literal(parts[0], offset)
            case "list_lit":
                return ListOf(offset=offset, items=self._arguments(parts))
            case "map_lit":
                flat = [self.node(part) for part in parts[0].children] if parts else []
                pairs = tuple(zip(flat[::2], flat[1::2], strict=True))
                return MapOf(offset=offset, entries=pairs)
            case _:  # member_object, dot_ident, dot_ident_arg
                raise ExpressionError(
                    "messages and absolute names of CEL are not supported here", offset
                )

    def _operation(self, tree: Any) -> Node:
        operands: list[Node] = []
        left, right = tree.children
        if tree.data in {"conditionalor", "conditionaland"}:
            operator = _OPERATORS[tree.data]
        else:
            operator = _OPERATORS[left.data]
            left = left.children[0]
        # `a || b || …` is written flat and read flat: it is no deeper than `a || b`.
        rights = [right]
        while operator in _CHAINS and len(left.children) == 2:
            if left.data in {"conditionalor", "conditionaland"}:
                if _OPERATORS[left.data] != operator:
                    break
                rights.append(left.children[1])
                left = left.children[0]
            else:
                if _OPERATORS.get(left.children[0].data) != operator:
                    break
                rights.append(left.children[1])
                left = left.children[0].children[0]
        operands = [self.node(part) for part in (left, *reversed(rights))]
        return Operation(
            offset=_start(tree), operator=operator, operands=tuple(operands)
        )

    def _name(self, name: str, offset: int) -> Node:
        if name == "null":
            return Literal(offset=offset, value=None, text="null")
        if name in self._bound or name in TYPE_NAMES:
            return Name(offset=offset, name=name)
        return Path(offset=offset, root=name, keys=())

    @staticmethod
    def _select(operand: Node, name: str, offset: int) -> Node:
        if isinstance(operand, Path):
            return Path(offset=offset, root=operand.root, keys=(*operand.keys, name))
        return Select(offset=offset, operand=operand, name=name)

    @staticmethod
    def _index(operand: Node, key: Node, offset: int) -> Node:
        if (
            isinstance(operand, Path)
            and isinstance(key, Literal)
            and isinstance(key.value, str)
        ):
            return Path(
                offset=offset, root=operand.root, keys=(*operand.keys, key.value)
            )
        return Index(offset=offset, operand=operand, key=key)

    def _literal(self, token: Any, offset: int) -> Literal:
        text = str(token)
        if offset in self._strings:
            value = self._strings[offset]
            return Literal(offset=offset, value=value, text=quoted(value))
        match token.type:
            case "BOOL_LIT":
                return Literal(offset=offset, value=text == "true", text=text)
            case "FLOAT_LIT":
                return Literal(offset=offset, value=float(text), text=text)
            case "INT_LIT" | "UINT_LIT":
                if len(text) > 20:
                    raise ExpressionError(
                        f"`{text[:20]}…` is too large a number", offset
                    )
                digits = text.rstrip("uU")
                number = int(digits, 16 if "x" in digits else 10)
                suffix = text[len(digits) :]
                return Literal(offset=offset, value=number, text=f"{number}{suffix}")
            case _:
                return Literal(offset=offset, value=None, text="null")

    def _arguments(self, parts: list[Any]) -> tuple[Node, ...]:
        if not parts or parts[0] is None:
            return ()
        return tuple(self.node(part) for part in parts[0].children)

    def _method(self, tree: Any) -> Node:
        receiver, name, *rest = tree.children
        function = str(name)
        offset = _start(tree)
        if function in MACROS:
            return self._macro(function, receiver, rest, offset)
        arguments = (self.node(receiver), *self._arguments(rest))
        self._check_call(function, METHODS, len(arguments), name.start_pos)
        return Call(
            offset=offset, function=function, is_method=True, arguments=arguments
        )

    def _function(self, tree: Any) -> Node:
        name, *rest = tree.children
        function = str(name)
        offset = _start(tree)
        if function == "has":
            return self._has(rest, offset)
        arguments = self._arguments(rest)
        self._check_call(function, FUNCTIONS, len(arguments), offset)
        return Call(
            offset=offset, function=function, is_method=False, arguments=arguments
        )

    @staticmethod
    def _check_call(
        function: str, known: dict[str, int], count: int, offset: int
    ) -> None:
        if function not in known:
            names = {*METHODS, *FUNCTIONS, *MACROS, "has"}
            if function in names:
                shape = "x.f(…)" if function in {*METHODS, *MACROS} else "f(x)"
                raise ExpressionError(
                    f"`{function}` is written {shape.replace('f', function, 1)}", offset
                )
            raise ExpressionError(
                f"unknown function `{function}`{did_you_mean(function, names)}", offset
            )
        if count != known[function]:
            raise ExpressionError(
                f"`{function}` takes {known[function]} values (with the one before"
                f" the dot), not {count}",
                offset,
            )

    def _has(self, rest: list[Any], offset: int) -> Node:
        arguments = self._arguments(rest)
        if len(arguments) == 1:
            match arguments[0]:
                case Path(keys=(*_, _)) as path:
                    parent = Path(
                        offset=path.offset, root=path.root, keys=path.keys[:-1]
                    )
                    return Has(offset=offset, operand=parent, name=path.keys[-1])
                case Select(operand=operand, name=name):
                    return Has(offset=offset, operand=operand, name=name)
                case _:
                    pass
        raise ExpressionError("`has` takes one field: has(outputs.version)", offset)

    def _macro(self, macro: str, receiver: Any, rest: list[Any], offset: int) -> Node:
        items = self.node(receiver)
        parts = rest[0].children if rest and rest[0] is not None else []
        most = 3 if macro == "map" else 2
        if not 2 <= len(parts) <= most:
            raise ExpressionError(
                f"`{macro}` takes a name and an expression:"
                f" items.{macro}(item, item.ready)",
                offset,
            )
        variable = self.node(parts[0])
        if not isinstance(variable, Path) or variable.keys:
            raise ExpressionError(
                f"the first part of `{macro}` is a new name for the item",
                variable.offset,
            )
        self._bound.append(variable.root)
        bodies = tuple(self.node(part) for part in parts[1:])
        self._bound.pop()
        return Macro(
            offset=offset,
            macro=macro,
            items=items,
            variable=variable.root,
            bodies=bodies,
        )
