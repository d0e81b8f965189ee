"""The step types that are installed: ours and third parties', by entry point."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from gitops_wf.core.errors import cut
from gitops_wf.ports.runner import StepType

GROUP = "gitops_wf.steps"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginProblem:
    """A step type that cannot be used, and why, for the log and ``doctor``."""

    entry_point: str
    message: str


class EntryPointCatalogue:
    """StepCatalogue over entry points of the group ``gitops_wf.steps``.

    One that cannot be loaded is a problem of its own, reported by name, and fatal to
    no other. Two of one name: the one of this distribution stays, so that no package
    can put itself in the place of ``deploy2env``; of two others, neither.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None) -> None:
        self._types: dict[str, StepType] = {}
        self._aliases: dict[str, str] = {}
        self._problems: list[PluginProblem] = []
        points = entry_points(group=GROUP) if found is None else found
        ours_first = sorted(
            dict.fromkeys(points), key=lambda point: (not _is_ours(point), point.value)
        )
        loaded: list[tuple[EntryPoint, StepType]] = []
        for point in ours_first:
            step_type = self._loaded(point)
            if step_type is not None:
                loaded.append((point, step_type))
        self._take(loaded)

    def get(self, name: str) -> StepType | None:
        """Return a type by its name or an alias."""
        return self._types.get(self._aliases.get(name, name))

    def names(self) -> tuple[str, ...]:
        """Return the names, sorted; neither aliases nor what no file may name."""
        return tuple(
            sorted(name for name, each in self._types.items() if not each.is_added)
        )

    @property
    def problems(self) -> tuple[PluginProblem, ...]:
        """What could not be used."""
        return tuple(self._problems)

    def _loaded(self, point: EntryPoint) -> StepType | None:
        try:
            step_type = point.load()
        except Exception as exc:  # a stranger's module may raise anything
            cause = f"{type(exc).__name__}: {cut(str(exc))}"
            self._report(point, f"cannot be loaded: {cause}")
            return None
        if not isinstance(step_type, StepType):
            self._report(point, f"is a {type(step_type).__name__}, no StepType")
            return None
        if step_type.name != point.name:
            self._report(point, f"calls its type {cut(step_type.name, 64)!r}")
            return None
        return step_type

    def _take(self, loaded: Iterable[tuple[EntryPoint, StepType]]) -> None:
        claims: dict[str, list[EntryPoint]] = {}
        entries = list(loaded)
        for point, step_type in entries:
            for name in {step_type.name, *step_type.aliases}:
                claims.setdefault(name, []).append(point)
        for point, step_type in entries:
            names = (step_type.name, *step_type.aliases)
            rivals = _rivals(point, names, claims)
            if rivals:
                self._report(point, f"is claimed by {', '.join(rivals)} too")
                continue
            self._types[step_type.name] = step_type
            self._aliases |= dict.fromkeys(step_type.aliases, step_type.name)

    def _report(self, point: EntryPoint, what: str) -> None:
        self._problems.append(
            PluginProblem(
                entry_point=point.name,
                message=f"step type {cut(point.name, 64)} ({_source(point)}) {what}",
            )
        )


def _rivals(
    point: EntryPoint,
    names: Iterable[str],
    claims: Mapping[str, list[EntryPoint]],
) -> list[str]:
    """Return who else claims a name, less those that give way to ours."""
    others = {
        _source(other)
        for name in names
        for other in claims[name]
        if other is not point and (_is_ours(other) or not _is_ours(point))
    }
    return sorted(others)


def _is_ours(point: EntryPoint) -> bool:
    return point.value.startswith("gitops_wf.steps.")


def _source(point: EntryPoint) -> str:
    return point.value if point.dist is None else f"{point.value} of {point.dist.name}"
