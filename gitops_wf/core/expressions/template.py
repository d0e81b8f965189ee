"""Text with expressions inside: `v${{ outputs.version }} is live`.

`$${{` stands for a literal `${{`. A text that is one expression and nothing else keeps
the type of its value; in longer text null is empty and lists and maps are JSON.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_wf.core.expressions.errors import ExpressionError
from gitops_wf.core.expressions.expression import Expression, parse
from gitops_wf.core.expressions.literals import skip_string
from gitops_wf.core.expressions.names import OPEN_SCOPE, Scope

MAX_EXPRESSIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Literal text and expressions, in order."""

    parts: tuple[str | Expression, ...]

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions in it."""
        return tuple(part for part in self.parts if isinstance(part, Expression))

    def render(self, variables: Mapping[str, Any]) -> Any:
        """The text with its values, or the value of a lone expression."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Expression):
            return self.parts[0].evaluate(variables)
        return "".join(
            part if isinstance(part, str) else _text(part.evaluate(variables))
            for part in self.parts
        )


@functools.lru_cache(maxsize=4096)
def parse_template(text: str, *, scope: Scope = OPEN_SCOPE) -> Template:
    """Check every `${{ … }}` of `text`; offsets of errors are those in `text`."""
    parts: list[str | Expression] = []
    literal = ""
    position = 0
    while (start := text.find("${{", position)) >= 0:
        if start > position and text[start - 1] == "$":
            literal += text[position : start - 1] + "${{"
            position = start + 3
            continue
        literal += text[position:start]
        end = _end(text, start + 3)
        if end is None:
            raise ExpressionError("`${{` is not closed; it needs `}}`", start)
        if literal:
            parts.append(literal)
            literal = ""
        inner = text[start + 3 : end]
        lead = len(inner) - len(inner.lstrip())
        try:
            parts.append(parse(inner.strip(), scope=scope))
        except ExpressionError as exc:
            offset = start + 3 + lead + (exc.offset or 0)
            raise ExpressionError(exc.message, offset) from exc
        position = end + 2
    literal += text[position:]
    if literal or not parts:
        parts.append(literal)
    if sum(isinstance(part, Expression) for part in parts) > MAX_EXPRESSIONS:
        raise ExpressionError(
            f"the text holds more than {MAX_EXPRESSIONS} expressions", 0
        )
    return Template(parts=tuple(parts))


def _end(text: str, position: int) -> int | None:
    """Where the `}}` is that closes an expression: not one in a string or a map."""
    depth = 0
    while position < len(text):
        char = text[position]
        if char in "\"'":
            position = skip_string(text, position)
            continue
        if char == "{":
            depth += 1
        elif char == "}":
            if depth == 0:
                return position if text.startswith("}}", position) else None
            depth -= 1
        position += 1
    return None


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case list() | dict():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        case _:
            return str(value)
