"""Resource quantities in their canonical form: 1024Mi is 1Gi, 0.5 is 500m.

The rule is Kubernetes' (apimachinery, pkg/api/resource): no fraction, the largest
suffix that needs none, and the family of suffixes that it was written with.
"""

import re
from decimal import ROUND_UP, Decimal
from typing import Any

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {
    "n": -9,
    "u": -6,
    "m": -3,
    "": 0,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    "P": 15,
    "E": 18,
}
_FORM = re.compile(
    r"([+-]?)(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]?|[eE][+-]?\d+)", re.ASCII
)


def is_quantity(value: Any) -> bool:
    """Whether the value can be read as a quantity."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    return _FORM.fullmatch(str(value)) is not None


def amount(value: Any) -> Decimal:
    """The number that a quantity is; 0 for what is none."""
    found = _FORM.fullmatch(str(value))
    if found is None:
        return Decimal(0)
    sign, digits, suffix = found.groups()
    number = Decimal(f"{sign}{digits}")
    if suffix in _BINARY:
        return number * Decimal(1024) ** _BINARY[suffix]
    if suffix in _DECIMAL:
        return number.scaleb(_DECIMAL[suffix])
    return number.scaleb(int(suffix[1:]))


def canonical(value: Any) -> Any:
    """The quantity as the server stores it; what is none is left as it is."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    found = _FORM.fullmatch(str(value))
    if found is None:
        return value
    suffix = found[3]
    if suffix in _BINARY:
        return _binary(amount(value))
    exponent = "" if suffix in _DECIMAL else suffix[0]
    return _decimal(amount(value), exponent=exponent)


def _binary(number: Decimal) -> str:
    if number != number.to_integral_value() or abs(number) < 1024:
        # Too small or too fine for a binary suffix: the server falls back.
        return _decimal(number, exponent="")
    whole, power = int(number), 0
    while power < 6 and whole % 1024 == 0 and whole:
        whole, power = whole // 1024, power + 1
    names = ["", *_BINARY]
    return f"{whole}{names[power]}"


def _decimal(number: Decimal, *, exponent: str) -> str:
    number = number.quantize(Decimal("1e-9"), rounding=ROUND_UP)
    if not number:
        return "0"
    power = -9
    whole = int(number.scaleb(9))
    while power < 18 and whole % 1000 == 0:
        whole, power = whole // 1000, power + 3
    if exponent:
        return f"{whole}{exponent}{power}" if power else f"{whole}"
    names = {value: name for name, value in _DECIMAL.items()}
    return f"{whole}{names[power]}"
