"""In which order the environments of one commit are planned: as their runs would meet.

Runs that wait for nobody go side by side, and each has claimed its objects before any
deletes one. So an object that moves is left alone by the environment that lets it go,
and taken over by the other, in whichever order their names are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.inventory import ObjectRef

Objects = Mapping[TargetName, frozenset[ObjectRef]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a run comes to before anybody has to be waited for.

    ``claims`` are the objects that its first steps claim, ``reached`` the targets on
    which it then lets go of what it no longer wants.
    """

    claims: Objects = field(default_factory=dict)
    reached: frozenset[TargetName] = frozenset()

    @property
    def is_waiting(self) -> bool:
        """Whether it delivers nothing before somebody is waited for."""
        return not self.reached


def rehearsal_order(
    names: Sequence[str],
    after: Mapping[str, Sequence[str]],
    begun: Mapping[str, Begun],
    owned: Mapping[str, Objects],
) -> list[str]:
    """Return names of environments in the order in which their runs let objects go.

    ``owned`` is what their inventories name. Those that wait for somebody come last,
    each after those that it is ``after``.
    """
    waiting = {name for name in names if begun[name].is_waiting}
    earlier: dict[str, list[str]] = {
        name: list(after.get(name, ())) if name in waiting else [] for name in names
    }
    owners: dict[tuple[TargetName, ObjectRef], list[str]] = {}
    for name, objects in owned.items():
        for target, refs in objects.items():
            for ref in refs:
                owners.setdefault((target, ref), []).append(name)
    for name in names:
        for target, refs in begun[name].claims.items():
            for ref in sorted(refs):
                for owner in owners.get((target, ref), ()):
                    if owner == name or owner in waiting:
                        continue
                    # What the owner lets go too late is not waited for.
                    is_free = target in begun[owner].reached
                    first, second = (owner, name) if is_free else (name, owner)
                    earlier[second].append(first)
    return preceded(
        [*(n for n in names if n not in waiting), *(n for n in names if n in waiting)],
        lambda name: earlier[name],
    )


def preceded(
    names: Iterable[str], earlier: Callable[[str], Iterable[str]]
) -> list[str]:
    """Return names, each after those that come earlier; a circle is cut somewhere."""
    known = list(names)
    there, done = set(known), dict[str, None]()
    for start in known:
        # By hand: a chain may be longer than Python recurses.
        above = {start: iter(earlier(start))} if start not in done else {}
        while above:
            name, others = next(reversed(above.items()))
            for other in others:
                if other in there and other not in done and other not in above:
                    above[other] = iter(earlier(other))
                    break
            else:
                del above[name]
                done[name] = None
    return list(done)
