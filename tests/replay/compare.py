"""Compares an answer with the recorded one, by the recordings' own rules."""

from __future__ import annotations

import itertools
from typing import Any

from tests.replay.placeholders import Bindings, Mismatch


def compare(
    expected: Any,
    actual: Any,
    bindings: Bindings,
    *,
    where: str = "",
    loose_owners: bool = False,
) -> None:
    """Raise Mismatch where the answer differs.

    `loose_owners` takes managedFields as a map, for recordings of several seconds.
    """
    if isinstance(expected, str) and isinstance(actual, str):
        bindings.match_text(expected, actual, where)
    elif isinstance(expected, dict) and isinstance(actual, dict):
        _maps(expected, actual, bindings, where, loose_owners=loose_owners)
    elif isinstance(expected, list) and isinstance(actual, list):
        if loose_owners and where.endswith(".managedFields"):
            expected, actual = _by_owner(expected), _by_owner(actual)
            _maps(expected, actual, bindings, where, loose_owners=loose_owners)
        else:
            _lists(expected, actual, bindings, where, loose_owners=loose_owners)
    elif type(expected) is not type(actual) or expected != actual:
        if isinstance(expected, str) and expected.startswith("<nodeport-"):
            bindings.match_text(expected, str(actual), where)
            return
        raise Mismatch(f"{where}: expected {_short(expected)}, got {_short(actual)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 400 else text[:400] + "…"


def _by_owner(entries: list[Any]) -> dict[str, Any]:
    return {
        " ".join(
            str(entry.get(key, ""))
            for key in ("manager", "operation", "apiVersion", "subresource")
        ): entry
        for entry in entries
    }


def _maps(
    expected: dict[str, Any],
    actual: dict[str, Any],
    bindings: Bindings,
    where: str,
    *,
    loose_owners: bool,
) -> None:
    left = dict(actual)
    # Metadata binds the uid and version that later fields mention.
    order = sorted(expected, key=lambda key: (key not in ("metadata", "name"), key))
    for key in order:
        found = _key(key, left, bindings, where)
        if found is None:
            raise Mismatch(f"{where}: has no {key}, which is {_short(expected[key])}")
        compare(
            expected[key],
            left.pop(found),
            bindings,
            where=f"{where}.{key}",
            loose_owners=loose_owners,
        )
    if left:
        raise Mismatch(f"{where}: has {_short(left)} too")


def _key(
    key: str, actual: dict[str, Any], bindings: Bindings, where: str
) -> str | None:
    if key in actual:
        return key
    if "<" in key:
        for other in actual:
            try:
                bindings.match_text(key, other, where)
            except Mismatch:
                continue
            return other
    return None


def _lists(
    expected: list[Any],
    actual: list[Any],
    bindings: Bindings,
    where: str,
    *,
    loose_owners: bool,
) -> None:
    if len(expected) != len(actual):
        raise Mismatch(
            f"{where}: expected {len(expected)} items {_names(expected)}, got "
            f"{len(actual)} {_names(actual)}"
        )
    if any("<rand-" in _name(one) for one in expected) and len(expected) <= 6:
        _any_order(expected, actual, bindings, where, loose_owners=loose_owners)
        return
    for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
        compare(
            one, other, bindings, where=f"{where}[{index}]", loose_owners=loose_owners
        )


def _any_order(
    expected: list[Any],
    actual: list[Any],
    bindings: Bindings,
    where: str,
    *,
    loose_owners: bool,
) -> None:
    before, first = bindings.copy(), None
    for order in itertools.permutations(actual):
        try:
            for index, (one, other) in enumerate(zip(expected, order, strict=True)):
                compare(
                    one,
                    other,
                    bindings,
                    where=f"{where}[{index}]",
                    loose_owners=loose_owners,
                )
        except Mismatch as mismatch:
            bindings.restore(before)
            first = first or mismatch
        else:
            return
    assert first is not None
    raise first


def _name(one: Any) -> str:
    if not isinstance(one, dict):
        return ""
    meta = one.get("metadata") or (one.get("object") or {}).get("metadata") or {}
    return str(meta.get("name", ""))


def _names(items: list[Any]) -> str:
    return _short([_name(one) or one for one in items])
