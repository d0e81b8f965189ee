"""Where two states of one object differ, field by field, fit to be shown."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.inventory import LAST_APPLIED, Manifest, ObjectRef
from gitops_wf.core.secret import MASK
from gitops_wf.core.upkeep.ignoring import Pointer, pointer_text

SHOWN_VALUE = 80
"""Characters of a value that are shown."""

_ABSENT = object()
_SERVERS = {
    ("status",),
    ("metadata", "managedFields"),
    ("metadata", "resourceVersion"),
    ("metadata", "generation"),
    ("metadata", "uid"),
    ("metadata", "creationTimestamp"),
}
"""What only the server writes."""

_IDENTITIES = (
    *("name", "key", "containerPort", "port", "mountPath", "devicePath"),
    *("ip", "topologyKey", "type", "uid"),
)
"""Fields by which items of Kubernetes' lists are told apart (its list map keys)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDrift:
    """One field: its JSON pointer, and its values as JSON; None where it is not there.

    Values of Secrets are masked.
    """

    path: str
    desired: str | None
    live: str | None

    def __str__(self) -> str:
        """Return ``/spec/replicas is 5, Git says 3``."""
        live = "is not there" if self.live is None else f"is {self.live}"
        says = "nothing of it" if self.desired is None else self.desired
        return f"{self.path} {live}, Git says {says}"


def field_drifts(
    live: Manifest, applied: Manifest, wanted: Manifest
) -> tuple[FieldDrift, ...]:
    """Return the fields in which an object is not as wanted, as they may be shown.

    ``applied`` is what an apply of ``wanted`` would leave: complete, with what others
    set. What differs although nobody wanted it so is of others, who wrote in between;
    but for what the apply would take away. Numbers in a path count the wanted list.
    """
    ref = ObjectRef.of(wanted)
    is_secret = (ref.group, ref.kind) == ("", "Secret")
    found = []
    for each in _differences((), live, applied, wanted):
        place = each.place
        is_hidden = LAST_APPLIED in place or (
            is_secret and place[:1] in {("data",), ("stringData",)}
        )
        found.append(
            FieldDrift(
                path=pointer_text(place),
                desired=_shown(each.applied, is_hidden=is_hidden),
                live=_shown(each.live, is_hidden=is_hidden),
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Difference:
    place: Pointer
    live: Any
    applied: Any


def _differences(
    place: Pointer, live: Any, applied: Any, wanted: Any
) -> Iterator[_Difference]:
    if place in _SERVERS or (wanted is _ABSENT and applied is not _ABSENT):
        return
    if isinstance(live, Mapping) and isinstance(applied, Mapping):
        members = wanted if isinstance(wanted, Mapping) else {}
        for key in dict.fromkeys((*applied, *live)):
            yield from _differences(
                (*place, str(key)),
                live.get(key, _ABSENT),
                applied.get(key, _ABSENT),
                members.get(key, _ABSENT),
            )
        return
    if isinstance(live, list) and isinstance(applied, list):
        items = wanted if isinstance(wanted, list) else []
        yield from _in_lists(place, live, applied, items)
        return
    if isinstance(live, bool) is not isinstance(applied, bool) or live != applied:
        yield _Difference(place, live, applied)


def _in_lists(
    place: Pointer, live: Sequence[Any], applied: Sequence[Any], wanted: Sequence[Any]
) -> Iterator[_Difference]:
    identity = _identity(live, applied, wanted)
    if identity is None:
        if len(live) != len(applied):
            yield _Difference(place, live, applied)
            return
        for index, pair in enumerate(zip(live, applied, strict=True)):
            part = wanted[index] if index < len(wanted) else _ABSENT
            yield from _differences((*place, str(index)), *pair, part)
        return
    by_identity = [{item[identity]: item for item in each} for each in (live, applied)]
    names = [item[identity] for item in wanted]
    names += [item[identity] for each in (applied, live) for item in each]
    for index, name in enumerate(dict.fromkeys(names)):
        part = wanted[index] if index < len(wanted) else _ABSENT
        found = [items.get(name, _ABSENT) for items in by_identity]
        yield from _differences((*place, str(index)), found[0], found[1], part)


def _identity(*lists: Sequence[Any]) -> str | None:
    """Return the field that tells the items of all lists apart, if there is one."""
    items = [item for each in lists for item in each]
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    for name in _IDENTITIES:
        if all(isinstance(item.get(name), str | int) for item in items) and all(
            len({item[name] for item in each}) == len(each) for each in lists
        ):
            return name
    return None


def _shown(value: object, *, is_hidden: bool) -> str | None:
    if value is _ABSENT:
        return None
    if is_hidden:
        return MASK
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return cut(text, SHOWN_VALUE)
