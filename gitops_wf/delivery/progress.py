"""What the next look has to know of a delivery that is under way: its memo.

Made of JSON's own types, for it is stored between looks.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from gitops_wf.core.changeset import Change, ChangeSet
from gitops_wf.core.health import Health
from gitops_wf.delivery.observing import ObjectHealth
from gitops_wf.delivery.orders import Rendered
from gitops_wf.delivery.rendering import Desired

MEMO_OBJECTS = 500
Memo = dict[str, Any]


def next_wave(memo: Mapping[str, Any]) -> int:
    """Return which wave is to be applied next, from 0; 0 also where none is left."""
    applied = int(memo.get("applied", 0))
    return applied if applied < int(memo.get("waves", 0)) else 0


def after_wave(
    memo: Mapping[str, Any],
    rendered: Rendered,
    number: int,
    changes: ChangeSet,
    *,
    runs: bool,
) -> Memo:
    """Return a memo of one more wave that was applied.

    ``wave`` are the objects of a wave that others wait for, ``leaving`` those that
    nobody waits for, ``changed`` those that are not what they were. ``pending`` are to
    be deleted once ``holding`` are gone, and the environments that are ``awaited`` have
    said what they take over. ``once`` are those that may be gone once they
    are done, each with whether it is to be, and ``passed`` those that are done; where
    nothing ``runs``, as in a folder of files, none is to be.
    """
    counts = _counted(memo, changes)
    changed, leaving = dict(memo.get("changed", {})), dict(memo.get("leaving", {}))
    awaited = {item.ref for item in rendered.owned}
    for entry in changes.entries:
        note = [str(entry.change), entry.message]
        if entry.change in {Change.DELETED, Change.SKIPPED} and (
            entry.ref not in awaited
        ):
            leaving[str(entry.ref)] = note
        elif entry.change is not Change.UNCHANGED and len(changed) < MEMO_OBJECTS:
            changed[str(entry.ref)] = note
    waves = max(len(rendered.waves), 1)
    is_last = number + 1 >= waves
    return {
        "digest": rendered.digest,
        "counts": counts,
        "changed": changed,
        "leaving": leaving,
        "applied": number + 1,
        "waves": waves,
        "wave": [] if is_last else [str(item.ref) for item in rendered.waves[number]],
        "holding": [str(each) for each in changes.holding],
        "pending": [str(ref) for ref in changes.pending],
        "awaited": list(changes.awaited),
        "once": {
            str(item.ref): runs and _goes(item)
            for item in rendered.owned
            if item.runs_once
        },
        "passed": memo.get("passed", []),
    }


def after_prune(memo: Mapping[str, Any], changes: ChangeSet) -> Memo:
    """Return a memo with what was deleted since; what is still going is told once."""
    leaving = dict(memo["leaving"])
    new = [entry for entry in changes.entries if str(entry.ref) not in leaving]
    counts = _counted(memo, ChangeSet(entries=tuple(new)))
    for entry in new:
        leaving[str(entry.ref)] = [str(entry.change), entry.message]
    return {
        **memo,
        "counts": counts,
        "leaving": leaving,
        "holding": [str(each) for each in changes.holding],
        "pending": [str(ref) for ref in changes.pending],
        "awaited": list(changes.awaited),
    }


def after_look(memo: Mapping[str, Any], found: Iterable[ObjectHealth]) -> Memo:
    """Return a memo with what runs once, and is seen to have succeeded."""
    done = {str(each.ref) for each in found if each.status.health is Health.CURRENT}
    passed = {*memo["passed"], *(done & memo["once"].keys())}
    return {**memo, "passed": sorted(passed)}


def hooks_to_delete(memo: Mapping[str, Any]) -> list[str]:
    """Return the hooks that are there, succeeded, and are deleted for that."""
    return [
        ref
        for ref in memo.get("passed", ())
        if memo["once"].get(ref) and ref not in memo["leaving"]
    ]


def _goes(item: Desired) -> bool:
    return item.marks.hook is not None and item.marks.hook.goes


def _counted(memo: Mapping[str, Any], changes: ChangeSet) -> dict[str, int]:
    counts = Counter({Change(key): n for key, n in memo.get("counts", {}).items()})
    counts.update(entry.change for entry in changes.entries)
    return {str(change): count for change, count in counts.items()}
