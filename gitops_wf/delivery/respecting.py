"""What to apply where rules let fields differ: those are left as they are live.

Server-side apply deletes a field that its manager owned alone and no longer sends. So
an ignored field cannot simply be left out: `replicas` would fall back to 1. What is
ours is sent with the value that it has live, which changes nothing and keeps it; what
is not ours any more is left out, which changes nothing either and takes nothing back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from gitops_wf.core.inventory import Manifest
from gitops_wf.core.upkeep.ignoring import Ignored, Pointer
from gitops_wf.delivery.names import ENVIRONMENT_LABEL
from gitops_wf.delivery.settled import (
    applied_fields,
    entry_of,
    is_our_apply,
    position_of,
)

Fields = Mapping[str, Any]
"""A part of `fieldsV1`: empty where all below is owned at once."""

_ABSENT: Any = object()
_HEAD = ("apiVersion", "kind")
_NAME = frozenset({"name", "namespace"})
_NOTHING: Fields = {".": {}}
"""Our fields where none is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What is known of one part of an object: our fields in it, and what is ignored.

    No ``ours`` at all is where nobody keeps track. ``theirs`` are the fields of
    managers that are ignored.
    """

    ours: Fields | None
    pointers: tuple[Pointer, ...]
    theirs: tuple[Fields, ...]

    def below(self, step: str, entry: str) -> "_Part":
        """Return what is known of a member: a pointer's step, a key of fields."""
        # What is owned at once is owned down to its leaves.
        mine = self.ours.get(entry, _NOTHING) if self.ours else self.ours
        return _Part(
            ours=mine,
            pointers=tuple(
                pointer[1:] for pointer in self.pointers if pointer[0] == step
            ),
            theirs=tuple(fields[entry] for fields in self.theirs if entry in fields),
        )

    @property
    def is_plain(self) -> bool:
        """Whether nothing of it is ignored."""
        return not (self.pointers or self.theirs)

    @property
    def is_ignored(self) -> bool:
        """Whether all of it is."""
        return not (all(self.pointers) and all(self.theirs))


def respecting(desired: Manifest, live: Manifest, ignored: Ignored) -> Manifest:
    """Return what to apply over a live object, with ignored fields as they are there.

    Our own label stays: by it the object is found.
    """
    if not (ignored.paths or ignored.managers):
        return desired
    theirs = tuple(
        entry.get("fieldsV1") or {}
        for entry in (live.get("metadata") or {}).get("managedFields") or ()
        if not is_our_apply(entry) and ignored.manages(str(entry.get("manager")))
    )
    ours = applied_fields(live, str(desired.get("apiVersion", "")))
    part = _Part(ours=ours, pointers=ignored.paths, theirs=theirs)
    wanted = {**_map(desired, live, part), **{k: desired[k] for k in _HEAD}}
    metadata = {**(wanted.get("metadata") or {})}
    metadata |= {k: v for k, v in desired["metadata"].items() if k in _NAME}
    label = (desired["metadata"].get("labels") or {}).get(ENVIRONMENT_LABEL)
    if label is not None:
        labels = {**(metadata.get("labels") or {}), ENVIRONMENT_LABEL: label}
        metadata["labels"] = labels
    return {**wanted, "metadata": metadata}


def _value(desired: Any, live: Any, part: _Part) -> Any:
    if isinstance(desired, Mapping):
        return _map(desired, live, part)
    if isinstance(desired, list):
        return _list(desired, live, part)
    return desired


def _map(desired: Mapping[str, Any], live: Any, part: _Part) -> dict[str, Any]:
    there = live if isinstance(live, Mapping) else {}
    members = {
        key: _member(value, there.get(key, _ABSENT), part.below(key, f"f:{key}"))
        for key, value in desired.items()
    }
    return {key: value for key, value in members.items() if value is not _ABSENT}


def _list(desired: Sequence[Any], live: Any, part: _Part) -> list[Any]:
    listed = live if isinstance(live, list) else []
    tracked = [
        key for key in chain(part.ours or (), *part.theirs) if key.startswith("k:")
    ]
    members = []
    for index, item in enumerate(desired):
        entry = entry_of(item, tracked)
        place = position_of(entry, listed) if entry else -1 if tracked else index
        there = listed[place] if 0 <= place < len(listed) else _ABSENT
        members.append(_member(item, there, part.below(str(index), entry or "")))
    return [member for member in members if member is not _ABSENT]


def _member(desired: Any, live: Any, part: _Part) -> Any:
    """Return one member of a map or list; `_ABSENT` where it is to be left out."""
    if part.is_plain:
        return desired
    return (
        _as_it_is(live, part.ours) if part.is_ignored else _value(desired, live, part)
    )


def _as_it_is(live: Any, ours: Fields | None) -> Any:
    """Return what of a live value is ours; all of it where nobody keeps track."""
    if live is _ABSENT or ours is _NOTHING:
        return _ABSENT
    if not ours:
        return live
    if isinstance(live, Mapping):
        return {
            key[2:]: _as_it_is(live[key[2:]], fields)
            for key, fields in ours.items()
            if key.startswith("f:") and key[2:] in live
        }
    if isinstance(live, list):
        found = [
            _as_it_is(live[place], ours[entry])
            for entry in ours
            if entry.startswith("k:") and (place := position_of(entry, live)) >= 0
        ]
        values = {entry for entry in ours if entry.startswith("v:")}
        return found + [value for value in live if f"v:{_json(value)}" in values]
    return live


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
