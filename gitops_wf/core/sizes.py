"""Sizes as users write them: Kubernetes' form, ``512Mi``, and back."""

import re

_TEXT = re.compile(r"(\d{1,18})([KMGT]i?|k)?")
_UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40} | {
    "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12
}  # fmt: skip


class Size(int):
    """A number of bytes that prints as it is written: ``512Mi``."""

    def __str__(self) -> str:
        """Return it in the largest binary unit of which it is a multiple."""
        for unit in ("Ti", "Gi", "Mi", "Ki"):
            if self and self % _UNITS[unit] == 0:
                return f"{self // _UNITS[unit]}{unit}"
        return f"{int(self)}"


def parse_size(text: str) -> Size:
    """Return what ``512Mi``, ``2Gi``, ``500M`` or a number of bytes means.

    Kubernetes' quantities of memory, without fractions. Errors: ValueError that says
    what would be right.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text[:32]!r} is no size; write a whole number and a unit (Ki, Mi, Gi), "
            "such as 512Mi"
        )
    number, unit = found.groups()
    return Size(int(number) * _UNITS.get(unit, 1))
