"""The pod-template-hash, computed as Kubernetes computes it.

Kubernetes prints the template's Go value with `spew` (`%#v`, sorted keys, no methods,
no addresses), takes the FNV-1a hash of 32 bits and spells it in letters that make no
words (`k8s.io/kubernetes/pkg/controller`, `ComputeHash`). So the printed text needs the
Go types: `data/pod_template_types.json` has those below PodTemplateSpec in release 1.36
of `k8s.io/api` (Apache-2.0), as `[Go field, JSON key, Go type]`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from typing import Any

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_MAP = re.compile(r"map\[([\w.]+)\](.+)")
_QUANTITY = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([a-zA-Z]*|[eE][+-]?\d+)$")
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
_DECIMAL |= {"P": 15, "E": 18}


@functools.cache
def _types() -> Any:
    path = resources.files(__package__) / "data" / "pod_template_types.json"
    return json.loads(path.read_text(encoding="utf-8"))


def template_hash(template: Mapping[str, Any], collisions: int | None = None) -> str:
    """The hash of a defaulted pod template, without a pod-template-hash label."""
    printed = _print("v1.PodTemplateSpec", template, typed=True).encode()
    if collisions is not None:
        # `binary.LittleEndian.PutUint32` into eight bytes, as ComputeHash does.
        printed += collisions.to_bytes(4, "little") + bytes(4)
    return safe_encode(str(_fnv32a(printed)))


def revision_hash(data: str, collisions: int) -> str:
    """The hash in the name of a StatefulSet's ControllerRevision.

    FNV-1 of the revision's JSON text and the collision count (`HashControllerRevision`
    of `k8s.io/kubernetes/pkg/controller/history`).
    """
    value = 0x811C9DC5
    for byte in f"{data}{collisions}".encode():
        value = ((value * 0x01000193) & 0xFFFFFFFF) ^ byte
    return safe_encode(str(value))


def _fnv32a(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def safe_encode(text: str) -> str:
    """`rand.SafeEncodeString`: each byte becomes a letter that makes no words."""
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in text.encode())


def _print(go_type: str, value: Any, *, typed: bool) -> str:
    """What spew's `%#v` prints; `typed` says whether the type stands before it."""
    if go_type.startswith("*"):
        if value is None:
            return f"({go_type})<nil>" if typed else "<nil>"
        mark = f"({go_type})" if typed else "<*>"
        return mark + _print(go_type[1:], value, typed=False)
    mark = f"({go_type})" if typed else ""
    return mark + _print_value(go_type, value)


def _print_value(go_type: str, value: Any) -> str:
    special = _SPECIAL.get(go_type)
    if special is not None:
        return special(value)
    types = _types()
    if go_type in types["structs"]:
        return _print_struct(types["structs"][go_type], value or {})
    underlying = types["named"].get(go_type, go_type)
    if underlying.startswith("[]"):
        # The wire format has no empty list or map: both arrive as nil.
        if not value:
            return "<nil>"
        item = underlying[2:]
        return "[" + " ".join(_print(item, one, typed=False) for one in value) + "]"
    matched = _MAP.match(underlying)
    if matched:
        return _print_map(matched[1], matched[2], value)
    match underlying:
        case "bool":
            return "true" if value else "false"
        case "string":
            return str(value or "")
        case _:
            return str(value or 0)


def _print_struct(fields: list[list[str]], value: Mapping[str, Any]) -> str:
    printed = []
    for name, key, go_type in fields:
        # A field without a JSON key is inlined: it reads the same map.
        inner = value.get(key) if key else value
        printed.append(f"{name}:{_print(go_type, inner, typed=True)}")
    return "{" + " ".join(printed) + "}"


def _print_map(key_type: str, item_type: str, value: Mapping[str, Any] | None) -> str:
    if not value:
        return "<nil>"
    pairs = (
        f"{_print(key_type, key, typed=False)}:"
        f"{_print(item_type, value[key], typed=False)}"
        for key in sorted(value)
    )
    return "map[" + " ".join(pairs) + "]"


def _print_time(_value: Any) -> str:
    """A template's metadata never has a time that is not zero."""
    return "{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}"


def _print_int_or_string(value: Any) -> str:
    number, text = (0, value) if isinstance(value, str) else (int(value or 0), "")
    kind = 1 if isinstance(value, str) else 0
    return f"{{Type:(intstr.Type){kind} IntVal:(int32){number} StrVal:(string){text}}}"


def _print_quantity(value: Any) -> str:
    """A `resource.Quantity` as parsing leaves it, in its form for small numbers.

    Numbers that need its arbitrary-precision form are beyond what pods ask for.
    """
    text = str(value)
    if text == "0":
        amount, scale, form = 0, 0, ""
    else:
        amount, scale, form = _parse_quantity(text)
    return (
        f"{{i:(resource.int64Amount){{value:(int64){amount} "
        f"scale:(resource.Scale){scale}}} "
        "d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} "
        f"s:(string){text} Format:(resource.Format){form}}}"
    )


def _parse_quantity(text: str) -> tuple[int, int, str]:
    matched = _QUANTITY.match(text)
    if matched is None:
        return 0, 0, ""
    sign, whole, fraction, suffix = matched.groups()
    whole = (whole or "").lstrip("0") or "0"
    fraction = (fraction or "").rstrip("0")
    number = int(f"{sign}{whole}{fraction}")
    if suffix in _BINARY:
        scaled = Decimal(number).scaleb(-len(fraction)) * (1 << _BINARY[suffix])
        return int(scaled), 0, "BinarySI"
    if suffix in _DECIMAL:
        return number, _DECIMAL[suffix] - len(fraction), "DecimalSI"
    return number, int(suffix[1:]) - len(fraction), "DecimalExponent"


_SPECIAL = {
    "v1.Time": _print_time,
    "intstr.IntOrString": _print_int_or_string,
    "resource.Quantity": _print_quantity,
}
