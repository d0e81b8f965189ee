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


_BRINGS = frozenset(
    {("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")}
)
"""Kinds that the objects of others may need."""


def rehearsal_rounds(
    names: Sequence[str],
    after: Mapping[str, Sequence[str]],
    begun: Mapping[str, Begun],
    owned: Mapping[str, Objects],
) -> list[list[str]]:
    """Return names of environments in the order in which their runs let objects go.

    Those of one round have nothing to do with each other. ``owned`` is what their
    inventories name. Those that wait for somebody come last, each after those that it
    is ``after``.
    """
    waiting = [name for name in names if begun[name].is_waiting]
    going = [name for name in names if not begun[name].is_waiting]
    concerned: dict[tuple[TargetName, ObjectRef], dict[str, None]] = {}
    for name in going:
        for objects in (begun[name].claims, owned.get(name, {})):
            for target, refs in objects.items():
                for ref in refs:
                    concerned.setdefault((target, ref), {})[name] = None
    earlier: dict[str, dict[str, None]] = {name: {} for name in going}
    alone: set[str] = set()
    for (target, ref), those in concerned.items():
        if len(those) > 1 or (ref.group, ref.kind) in _BRINGS:
            alone |= those.keys()
        if len(those) == 1:
            continue
        owners = [n for n in those if ref in owned.get(n, {}).get(target, ())]
        for name in those:
            if ref not in begun[name].claims.get(target, ()):
                continue
            for owner in owners:
                # What the owner lets go too late is not waited for.
                is_free = target in begun[owner].reached
                first, second = (owner, name) if is_free else (name, owner)
                if first != second:
                    earlier[second][first] = None
    ordered = preceded(
        (name for name in going if name in alone), lambda name: sorted(earlier[name])
    )
    free = [name for name in going if name not in alone]
    last = preceded(waiting, lambda name: after.get(name, ()))
    return [
        *([name] for name in ordered),
        *([free] if free else []),
        *([n] for n in last),
    ]


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
