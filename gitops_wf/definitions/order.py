"""Which steps have always ended before a step begins, and whether any never can.

Two moments for each step, its begin and its end, and what each waits for:

- a begin waits for the ends of `dependsOn`, of what its inputs come from, of the steps
  whose status its `if` reads, and, step by step, of the step before it;
- the begin of a sub-step waits for its group's begin, the end of a group for the ends
  of its sub-steps, and each end for its own begin.

A circle among them is a workflow that would hang.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from gitops_wf.core.expressions import ExpressionError, parse_condition
from gitops_wf.core.workflow import Mode
from gitops_wf.definitions.facts import Facts, StepFact

Moment = tuple[str, bool]
"""A step's name, and whether its end is meant."""


@dataclass(frozen=True)
class Order:
    """The moments of a workflow."""

    facts: Facts

    def before(self, name: str) -> frozenset[str]:
        """The steps that have ended whenever this one begins."""
        seen: set[Moment] = set()
        stack: list[Moment] = [(name, False)]
        while stack:
            for other in self._waits.get(stack.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    stack.append(other)
        return frozenset(name for name, is_end in seen if is_end)

    def circle(self) -> tuple[str, ...]:
        """The names of steps that wait for each other, or nothing."""
        done: set[Moment] = set()
        for start in self._waits:
            if start in done:
                continue
            path: list[Moment] = []
            on_path: set[Moment] = set()
            stack: list[tuple[Moment, Iterator[Moment]]] = [
                (start, iter(self._waits[start]))
            ]
            path.append(start)
            on_path.add(start)
            while stack:
                moment, others = stack[-1]
                other = next(others, None)
                if other is None:
                    stack.pop()
                    path.pop()
                    on_path.discard(moment)
                    done.add(moment)
                elif other in on_path:
                    names = [name for name, _ in path[path.index(other) :]]
                    return tuple(dict.fromkeys(names))
                elif other not in done and other in self._waits:
                    stack.append((other, iter(self._waits[other])))
                    path.append(other)
                    on_path.add(other)
        return ()

    @cached_property
    def _waits(self) -> Mapping[Moment, tuple[Moment, ...]]:
        workflow = self.facts.workflow
        waits: dict[Moment, list[Moment]] = {}
        elder: dict[str | None, str] = {}
        for step in self.facts.steps:
            begins = waits.setdefault((step.name, False), [])
            ends = waits.setdefault((step.name, True), [])
            ends.append((step.name, False))
            begins += [(name, True) for name in self._named(step)]
            group = step.group
            if group is None:
                mode = workflow.core_mode if workflow else Mode.STEP_BY_STEP
            else:
                begins.append((group.name, False))
                waits.setdefault((group.name, True), []).append((step.name, True))
                sub_mode = workflow.core_sub_mode if workflow else Mode.DAG
                mode = Mode(group.mode) if group.mode else sub_mode
            holder = None if group is None else group.name
            if mode is Mode.STEP_BY_STEP and holder in elder:
                begins.append((elder[holder], True))
            elder[holder] = step.name
        return {moment: tuple(others) for moment, others in waits.items()}

    def _named(self, step: StepFact) -> Iterator[str]:
        names = self.facts.by_name
        yield from (name for name in step.part.depends_on if name in names)
        for item in step.part.inputs:
            for output in (item.from_, item.from_.split(".", maxsplit=1)[0]):
                producer = self.facts.producers.get(output)
                if producer is not None:
                    yield producer.name
                    break
        try:
            expression = parse_condition(step.part.if_).expression
        except ExpressionError:
            return  # told by its own rule
        if expression is not None:
            for written in expression.steps:
                for name in names:
                    if written in {name, name.replace("-", "_")}:
                        yield name
