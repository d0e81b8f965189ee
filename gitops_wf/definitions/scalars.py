"""What a plain scalar means: in our files (YAML 1.2) and in manifests (Kubernetes).

Kubernetes reads YAML with sigs.k8s.io/yaml, a fork of go-yaml v2: YAML 1.1 booleans
(`y`, `yes`, `on`, …) are booleans, `0777` is octal, `1_000` is a number, dates are
strings, and whole floats become integers on their way through JSON. Reading a manifest
otherwise would deliver something else than `kubectl apply` does.
https://github.com/kubernetes-sigs/yaml/blob/master/goyaml.v2/resolve.go

Our own files follow YAML 1.2's core schema: `on:` is a key and `no` a string. Their
numbers remember how they were written, because `0123456` may be a commit.
"""

import re
from typing import Final

_NULLS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_BOOLS_12 = {
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_BOOLS_11 = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_FLOATS = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_MAYBE_NUMBER = frozenset("+-.0123456789")
_INT_12 = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_GO_INT = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9][0-9]*|0)"
)
_LONGEST_NUMBER = 400
_MAX_UINT64 = 2**64
# Go prints a float64 below this without an exponent, so JSON readers see an integer.
_LARGEST_WHOLE_FLOAT = 1e21

Value = str | int | float | bool | None


class WrittenInt(int):
    """An integer of our files that remembers its text."""

    text: str


class WrittenFloat(float):
    """A float of our files that remembers its text."""

    text: str


def own_value(text: str) -> Value:
    """What an unquoted scalar means in our files."""
    if text in _NULLS:
        return None
    if text in _BOOLS_12:
        return _BOOLS_12[text]
    if text[0] not in _MAYBE_NUMBER or len(text) > _LONGEST_NUMBER:
        return text
    if _INT_12.fullmatch(text):
        whole = WrittenInt(int(text, 0 if text[:2] in {"0o", "0x"} else 10))
        whole.text = text
        return whole
    if text in _FLOATS or _FLOAT.fullmatch(text):
        number = WrittenFloat(_FLOATS[text] if text in _FLOATS else float(text))
        number.text = text
        return number
    return text


_FIXED_IN_MANIFESTS: Final[dict[str, Value]] = {
    **_NULLS,
    **_BOOLS_12,
    **_BOOLS_11,
}


def manifest_value(text: str) -> Value:
    """What an unquoted scalar means to Kubernetes."""
    if text in _FIXED_IN_MANIFESTS:
        return _FIXED_IN_MANIFESTS[text]
    if text[0] not in _MAYBE_NUMBER or len(text) > _LONGEST_NUMBER:
        return text
    plain = text.replace("_", "")
    if _GO_INT.fullmatch(plain):
        whole = _go_int(plain)
        if -(2**63) <= whole < _MAX_UINT64:
            return whole
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        if number in {float("inf"), float("-inf")}:
            return text
        if number.is_integer() and abs(number) < _LARGEST_WHOLE_FLOAT:
            return int(number)
        return number
    return text


def _go_int(text: str) -> int:
    digits = text.lstrip("+-")
    sign = -1 if text[0] == "-" else 1
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def manifest_key(text: str, *, is_quoted: bool) -> str:
    """The key that Kubernetes makes of a scalar: JSON has only strings."""
    if is_quoted:
        return text
    value = manifest_value(text)
    if isinstance(value, bool):
        return "true" if value else "false"
    return text if value is None or isinstance(value, str) else str(value)
