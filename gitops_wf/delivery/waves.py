"""Which objects wait for the health of others: sync waves and depends-on.

`argocd.argoproj.io/sync-wave` numbers waves, `config.kubernetes.io/depends-on` (of
cli-utils) names objects. Together they make one order: an object stands in the first
wave that comes after all that it waits for.

https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/
https://github.com/kubernetes-sigs/cli-utils#apply-sort-ordering
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from gitops_wf.core.errors import DefinitionError, cut
from gitops_wf.core.inventory import ObjectRef, annotations_of
from gitops_wf.delivery.names import DEPENDS_ON
from gitops_wf.delivery.ordering import sync_wave
from gitops_wf.delivery.rendering import Desired

Wave = tuple[Desired, ...]


def waves(objects: Iterable[Desired]) -> tuple[Wave, ...]:
    """Return the objects wave by wave; one wave where nothing waits for anything.

    What all others need (`ordering.DEFINITIONS`) is in the first, whatever its sync
    wave. Errors: DefinitionError for what is named but not there, and for circles.
    """
    items = {item.ref: item for item in objects}
    numbered: dict[int | None, list[Desired]] = defaultdict(list)
    for item in items.values():
        numbered[sync_wave(item)].append(item)
    needs = {ref: _needs(item, items) for ref, item in items.items()}
    levels: dict[ObjectRef, int] = {}
    first = numbered.pop(None, [])
    _place(first, needs, 0, levels)
    # With what all others need begins the first wave; only then one follows another.
    start = max(levels.values(), default=0)
    for number in sorted(number for number in numbered if number is not None):
        _place(numbered[number], needs, start, levels)
        start = max(levels.values()) + 1
    found: dict[int, list[Desired]] = defaultdict(list)
    for ref, level in levels.items():
        found[level].append(items[ref])
    return tuple(tuple(found[level]) for level in sorted(found))


def _place(
    group: Sequence[Desired],
    needs: Mapping[ObjectRef, Sequence[ObjectRef]],
    start: int,
    levels: dict[ObjectRef, int],
) -> None:
    """Give the objects of one sync wave their levels, from `start` on."""
    left = {item.ref: item for item in group}
    while left:
        ready = [ref for ref in left if all(need in levels for need in needs[ref])]
        if not ready:
            item = next(iter(left.values()))
            raise _unreachable(item, left, needs)
        after = {
            ref: max((levels[need] + 1 for need in needs[ref]), default=start)
            for ref in ready
        }
        for ref, level in after.items():
            levels[ref] = max(level, start)
            del left[ref]


def _unreachable(
    item: Desired,
    left: Mapping[ObjectRef, Desired],
    needs: Mapping[ObjectRef, Sequence[ObjectRef]],
) -> DefinitionError:
    """Return why an object's turn never comes: a circle, or a later wave."""
    seen = [item.ref]
    while True:
        here = left[seen[-1]]
        waiting = [need for need in needs[here.ref] if need in left]
        if not waiting:
            later = needs[here.ref][0]
            return DefinitionError(
                here.path,
                here.line,
                f"{here.ref}: annotation {DEPENDS_ON} names {later}, which is of a "
                "later sync wave: change one of the two",
            )
        if waiting[0] in seen:
            circle = [*seen[seen.index(waiting[0]) :], waiting[0]]
            return DefinitionError(
                here.path,
                here.line,
                f"annotation {DEPENDS_ON} goes in a circle: "
                + cut(" -> ".join(map(str, circle)), 512),
            )
        seen.append(waiting[0])


def _needs(item: Desired, items: Mapping[ObjectRef, Desired]) -> list[ObjectRef]:
    text = str(annotations_of(item.manifest).get(DEPENDS_ON) or "")
    found = []
    for written in text.split(",") if text.strip() else ():
        ref = _ref(written.strip())
        if ref is None:
            raise DefinitionError(
                item.path,
                item.line,
                f"{item.ref}: annotation {DEPENDS_ON}: {cut(written.strip(), 80)!r} is "
                "no object: write group/namespaces/NAMESPACE/kind/name, or "
                "group/kind/name for what is cluster-wide (the core group is empty)",
            )
        if ref == item.ref or ref not in items:
            what = "the object itself" if ref == item.ref else str(ref)
            why = "" if ref == item.ref else ", which this step does not deliver"
            raise DefinitionError(
                item.path,
                item.line,
                f"{item.ref}: annotation {DEPENDS_ON} names {what}{why}",
            )
        found.append(ref)
    return found


def _ref(text: str) -> ObjectRef | None:
    match text.split("/"):
        case [group, "namespaces", namespace, kind, name] if namespace and kind:
            pass
        case [group, kind, name] if kind:
            namespace = ""
        case _:
            return None
    if not name:
        return None
    return ObjectRef(group=group, kind=kind, namespace=namespace, name=name)
