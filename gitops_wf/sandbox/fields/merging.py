"""Merging an applied object into the live one (structured-merge-diff, merge.go)."""

from typing import Any

from gitops_wf.sandbox.fields.schema import Schema
from gitops_wf.sandbox.fields.typed import MISSING, atom, is_atomic, item_element


def merge(schema: Schema, left: Any, right: Any) -> Any:
    """Left with right laid over it; either may be MISSING."""
    if right is MISSING:
        return left
    if left is MISSING:
        return right
    form = atom(schema, right if right is not None else left)
    if form == "scalar" or is_atomic(schema, form) or (not left and not right):
        return right
    if form == "map":
        ours = left if isinstance(left, dict) else {}
        theirs = right if isinstance(right, dict) else {}
        out = dict(ours)
        for name, value in theirs.items():
            child = schema.field_type(name)
            if name in ours and child is not None:
                out[name] = merge(child, ours[name], value)
            else:
                out[name] = value
        return out
    return _merge_lists(
        schema,
        left if isinstance(left, list) else [],
        right if isinstance(right, list) else [],
    )


def _merge_lists(schema: Schema, left: list[Any], right: list[Any]) -> list[Any]:
    """Items of both in an order that keeps each side's own (mergingWalker)."""
    items = schema.items or schema
    l_elements = [item_element(schema, item) for item in left]
    r_elements = [item_element(schema, item) for item in right]
    mine: dict[str, Any] = {}
    for element, item in zip(l_elements, left, strict=True):
        # What is there twice is not merged with the new value.
        mine[element] = None if element in mine else item
    theirs = dict(zip(r_elements, right, strict=True))
    shared = [element for element in r_elements if element in mine]
    shared_at = 0
    merged: set[str] = set()
    out: list[Any] = []

    def take_right(element: str) -> None:
        merged.add(element)
        out.append(merge(items, mine.get(element, MISSING), theirs[element]))

    l_at = r_at = 0
    while l_at < len(left) or r_at < len(right):
        upcoming = shared[shared_at] if shared_at < len(shared) else None
        if l_at < len(left) and r_at < len(right):
            element = l_elements[l_at]
            if element == r_elements[r_at]:
                take_right(element)
                l_at, r_at, shared_at = l_at + 1, r_at + 1, shared_at + 1
                continue
            if element in theirs and upcoming is not None and upcoming != element:
                l_at += 1
                continue
        if l_at < len(left):
            element = l_elements[l_at]
            if element not in theirs:
                out.append(left[l_at])
                l_at += 1
                continue
            if element in merged:
                l_at += 1
        if r_at < len(right):
            element = r_elements[r_at]
            take_right(element)
            r_at += 1
            if upcoming == element:
                shared_at += 1
    return out
