"""String literals of an expression: found, decoded, and masked for the grammar.

The grammar's own patterns for strings overlap, so an unfinished string of backslashes
costs it exponential time. It therefore sees every string as a run of `x`, and comments
as blanks; positions stay.
"""

import re
from dataclasses import dataclass

from gitops_wf.core.expressions.errors import ExpressionError

_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    '"': '"', "'": "'", "\\": "\\", "?": "?", "`": "`",
}  # fmt: skip
_START = re.compile(r"//[^\n]*|([rRbB]{0,2})(\"\"\"|'''|\"|')|[A-Za-z_0-9]+")
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedText:
    """An expression whose strings are masked, and the strings by their offset."""

    text: str
    strings: dict[int, str]


def mask(text: str) -> MaskedText:
    """Decode the strings in `text` and mask them; errors name the offset."""
    pieces: list[str] = []
    strings: dict[int, str] = {}
    position = 0
    while (found := _START.search(text, position)) is not None:
        pieces.append(text[position : found.start()])
        quote = found.group(2)
        if quote is None:
            word = found.group()
            pieces.append(" " * len(word) if word.startswith("//") else word)
            position = found.end()
            continue
        prefix = found.group(1).lower()
        if "b" in prefix or prefix == "rr":
            raise ExpressionError(
                f"a string with the prefix `{found.group(1)}` is not supported; write"
                " plain quotes",
                found.start(),
            )
        end = _end_of_string(text, found.end(), quote, raw=prefix == "r")
        if end is None:
            raise ExpressionError(
                f"a string is not closed; it needs a {quote} at its end", found.start()
            )
        body = text[found.end() : end]
        value = body if prefix else _decoded(body, found.end())
        strings[found.start()] = value
        position = end + len(quote)
        pieces.append('"' + "x" * (position - found.start() - 2) + '"')
    pieces.append(text[position:])
    return MaskedText(text="".join(pieces), strings=strings)


def _end_of_string(text: str, start: int, quote: str, *, raw: bool) -> int | None:
    position = start
    while position < len(text):
        if text.startswith(quote, position):
            return position
        if text[position] == "\n" and len(quote) == 1:
            return None
        position += 2 if text[position] == "\\" and not raw else 1
    return None


def _decoded(body: str, offset: int) -> str:
    def one(match: re.Match[str]) -> str:
        for index, base in ((1, 16), (2, 16), (3, 16), (4, 8)):
            if digits := match.group(index):
                number = int(digits, base)
                if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
                    break
                return chr(number)
        else:
            if (simple := _SIMPLE.get(match.group(5))) is not None:
                return simple
        raise ExpressionError(
            f"`{match.group()}` is no escape sequence; write `\\\\` for a backslash",
            offset + match.start(),
        )

    return _ESCAPE.sub(one, body)


def quoted(value: str) -> str:
    """CEL text of a string literal that means `value`."""
    return (
        '"'
        + "".join(
            char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}"
            for char in value
        )
        + '"'
    )


def skip_string(text: str, position: int) -> int:
    """Where the text goes on after the string that starts at `position`."""
    quote = text[position]
    if text.startswith(quote * 3, position):
        quote *= 3
    raw = position > 0 and text[position - 1] in "rR"
    end = _end_of_string(text, position + len(quote), quote, raw=raw)
    return len(text) if end is None else end + len(quote)
