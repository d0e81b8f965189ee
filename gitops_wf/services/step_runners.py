"""The runners of step types, and what each is told of its step."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ValidationError

from gitops_wf.core.engine import filled, places
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.message import Delivery
from gitops_wf.core.phases import Reason
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun
from gitops_wf.ports.runner import (
    Capabilities,
    StepCatalogue,
    StepContext,
    StepRunner,
    StepType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRunners:
    """One runner for each step type, whoever asks: what it keeps is shared so."""

    catalogue: StepCatalogue
    capabilities: Capabilities
    _made: dict[str, StepRunner] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def runner(self, step: StepRun) -> StepRunner:
        """Return the runner of a step's type; TerminalError where it has none here."""
        step_type = self._type(step)
        with self._lock:
            made = self._made.get(step_type.name)
            if made is None:
                made = self._made[step_type.name] = step_type.make(self.capabilities)
        return made

    def context(
        self,
        run: Run,
        step: StepRun,
        revision: Revision,
        *,
        started: datetime,
        now: datetime,
        deliveries: Sequence[Delivery] = (),
    ) -> StepContext:
        """Return what a runner is told, expressions and inputs filled in.

        Errors: TerminalError (InvalidDefinition, InvalidExpression).
        """
        step_type = self._type(step)
        properties, seen = filled(run, places(run.workflow)[step.name].step)
        try:
            model = step_type.properties.model_validate(properties)
        except ValidationError as error:
            raise TerminalError(
                f"properties: {_first_problem(error)}",
                reason=Reason.INVALID_DEFINITION,
            ) from error
        environment = revision.environment_definition
        assert environment is not None
        return StepContext(
            subject=run.subject,
            environment=environment,
            run=run.id,
            run_ordinal=run.ordinal,
            step=step.name,
            attempt=step.attempt,
            look=step.look,
            target=step.target,
            properties=model,
            key=f"{run.id}/{step.name}",
            now=now,
            started=started,
            memo=step.memo,
            deliveries=tuple(deliveries),
            variables=seen,
            step_files=self._step_files(run, environment),
            to_hub=self._to_hub(run),
        )

    def reads(self, step: StepRun, context: StepContext) -> tuple[TargetName, ...]:
        """Return the targets that a step reads from and does not write to."""
        return self._type(step).reads(context.properties, context.environment)

    def _type(self, step: StepRun) -> StepType:
        found = self.catalogue.get(step.type)
        if found is None:
            raise TerminalError(
                f"step type {step.type} is not installed here",
                reason=Reason.INVALID_DEFINITION,
            )
        return found

    def _step_files(self, run: Run, environment: Environment) -> tuple[str, ...]:
        """Return what steps use themselves, as far as their properties are known."""
        found = (
            path
            for step_type, model in self._declared(run)
            for path in step_type.files(model, environment)
        )
        return tuple(dict.fromkeys(found))

    def _to_hub(self, run: Run) -> tuple[tuple[str, ...], ...]:
        """Return which cloud resources steps bring to the hub."""
        found = (step_type.to_hub(model) for step_type, model in self._declared(run))
        return tuple(names for names in found if names is not None)

    def _declared(self, run: Run) -> Iterator[tuple[StepType, BaseModel]]:
        """Yield the steps' types and properties, as far as these are known."""
        for place in places(run.workflow).values():
            step_type = self.catalogue.get(place.step.type)
            if step_type is None or place.is_copy:
                continue
            try:
                model = step_type.properties.model_validate(dict(place.step.properties))
            except ValidationError:
                continue  # an expression stands where the model wants its value
            yield step_type, model


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}"
