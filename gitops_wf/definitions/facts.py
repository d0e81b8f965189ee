"""What the rules of a definition look at: the files, and what is known around them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gitops_wf.core.cloud import NO_CLOUD_RULES, CloudRules
from gitops_wf.core.config import PushConfig
from gitops_wf.core.environment import Environment
from gitops_wf.core.grants import SecretGrant
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RepositoryName,
    TargetName,
    environment_id,
    meant_environment,
)
from gitops_wf.core.workflow import CLOUD_RESOURCE
from gitops_wf.definitions.environment_file import EnvironmentFile
from gitops_wf.definitions.expression_texts import written_expressions
from gitops_wf.definitions.problems import Location, plain
from gitops_wf.definitions.workflow_file import StepPart, WorkflowFile
from gitops_wf.ports.definitions import FolderSource
from gitops_wf.ports.runner import StepCatalogue, StepType


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the daemon config has; None means that it is not known and not checked."""

    repositories: frozenset[str] | None = None
    targets: frozenset[str] | None = None
    channels: frozenset[str] | None = None
    secrets: Mapping[str, SecretGrant] | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hub: TargetName | None = None
    """The target with cloud resources; where targets are known, None is no hub."""
    cloud: CloudRules = NO_CLOUD_RULES
    values: Mapping[TargetName, Mapping[str, str]] = field(default_factory=dict)
    """Values of variables by target."""
    push: Mapping[RepositoryName, PushConfig] | None = None
    """Who may let the daemon commit, by repository; those that are read only lack."""


def meant(source: FolderSource, known: Known, written: str) -> EnvironmentId | None:
    """Return the environment that a name in these files means; None: there is none."""
    if written == source.name:
        return environment_id(source.repository, source.name)
    return meant_environment(
        written,
        source.repository,
        own=source.environments,
        others=known.repositories,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFact:
    """A step as written, where, and what its type makes of it.

    `properties` is None where they are not valid; expressions in them are left out
    where their type would not take text.
    """

    part: StepPart
    location: Location
    group: StepPart | None
    type: StepType | None
    properties: BaseModel | None
    property_errors: tuple[ErrorDetails, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.part.name

    @property
    def is_group(self) -> bool:
        """Whether it holds others."""
        return self.type is not None and self.type.name == "step-group"

    @property
    def goes_to_hub(self) -> bool:
        """Whether it brings cloud resources to the hub, whatever its targets are."""
        return self.type is not None and self.type.name == CLOUD_RESOURCE

    @property
    def goes_further(self) -> bool:
        """Whether its targets need not be the environment's."""
        return self.type is not None and self.type.any_target

    def at(self, *location: str | int) -> Location:
        """A place inside the step."""
        return (*self.location, *location)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """An environment's files at a commit, read but not yet checked together."""

    source: FolderSource
    known: Known
    environment_path: str
    environment_document: Any
    environment_file: EnvironmentFile | None
    environment: Environment | None
    workflow_path: str
    workflow_document: Any
    workflow: WorkflowFile | None
    catalogue: StepCatalogue

    @property
    def is_workflow_there(self) -> bool:
        """Whether the workflow is a file's, not generated."""
        return self.workflow_document is not None

    @property
    def lacks_hub(self) -> bool:
        """Whether the daemon config is known, and has no hub."""
        return self.known.targets is not None and self.known.hub is None

    @property
    def declared_targets(self) -> tuple[str, ...]:
        """The targets that environment.yaml names itself."""
        file = self.environment_file
        return () if file is None else tuple(file.targets or ())

    @property
    def allowed_targets(self) -> frozenset[str] | None:
        """The targets that a step may name; None where any name may be right.

        Those of environment.yaml; where it names none, those of the daemon config.
        """
        if self.declared_targets:
            return frozenset(self.declared_targets)
        return self.configured_targets

    @property
    def configured_targets(self) -> frozenset[str] | None:
        """The targets of the daemon config; None where they are not known."""
        known = self.known.targets
        return None if known is None else known | frozenset(self.source.targets)

    @cached_property
    def steps(self) -> tuple[StepFact, ...]:
        """Every step, those of groups after their group."""
        return () if self.workflow is None else tuple(self._steps(self.workflow))

    @cached_property
    def by_name(self) -> Mapping[str, StepFact]:
        """The steps by name; of two with one name, the first."""
        return {step.name: step for step in reversed(self.steps)}

    @cached_property
    def producers(self) -> Mapping[str, StepFact]:
        """The step that gives each output."""
        return {
            output.name: step
            for step in reversed(self.steps)
            for output in step.part.outputs
        }

    @cached_property
    def targets_of(self) -> Mapping[Location, tuple[TargetName, ...]]:
        """The targets that each step, by its location, writes to."""
        found: dict[Location, tuple[TargetName, ...]] = {}
        for step in self.steps:
            if step.type and step.properties is not None and self.environment:
                try:
                    targets = step.type.targets(step.properties, self.environment)
                except (AttributeError, TypeError):
                    continue  # a computed property is missing; told by its own rule
                found[step.location] = targets
        return found

    @cached_property
    def reads_of(self) -> Mapping[Location, tuple[TargetName, ...]]:
        """The targets that each step, by its location, only reads from."""
        found: dict[Location, tuple[TargetName, ...]] = {}
        for step in self.steps:
            if step.type and step.properties is not None and self.environment:
                try:
                    targets = step.type.reads(step.properties, self.environment)
                except (AttributeError, TypeError):
                    continue  # as above
                found[step.location] = targets
        return found

    def meant(self, written: str) -> EnvironmentId | None:
        """Return the environment that a name means here; None: there is none."""
        return meant(self.source, self.known, written)

    def environments_of(self, step: StepFact) -> tuple[EnvironmentName, ...]:
        """Return the environments that a step waits for, as far as known."""
        if step.type is None or step.properties is None:
            return ()
        try:
            return step.type.environments(step.properties)
        except (AttributeError, TypeError):
            return ()  # a computed property is missing

    def taken_by(self, step: StepFact) -> timedelta:
        """Return the time that a step needs by its properties, as far as known."""
        if step.type is None or step.properties is None:
            return timedelta()
        try:
            return step.type.takes(step.properties)
        except (AttributeError, TypeError):
            return timedelta()  # a computed property is missing

    def _steps(self, workflow: WorkflowFile) -> Iterator[StepFact]:
        for number, part in enumerate(workflow.steps):
            location: Location = ("steps", number)
            yield self._step(part, location, None)
            for inner, sub in enumerate(part.sub_steps or ()):
                yield self._step(sub, (*location, "subSteps", inner), part)

    def _step(
        self, part: StepPart, location: Location, group: StepPart | None
    ) -> StepFact:
        step_type = self.catalogue.get(part.type)
        if step_type is not None and step_type.is_added:
            step_type = None  # the daemon's own, and unknown to files
        properties: BaseModel | None = None
        problems: tuple[ErrorDetails, ...] = ()
        if step_type is not None:
            properties, problems = _properties(step_type, part)
        return StepFact(
            part=part,
            location=location,
            group=group,
            type=step_type,
            properties=properties,
            property_errors=problems,
        )


def _properties(
    step_type: StepType, part: StepPart
) -> tuple[BaseModel | None, tuple[ErrorDetails, ...]]:
    """The properties as the type's model, or what is wrong with them.

    A value that an expression or an input fills in later is checked then: errors about
    it do not count now.
    """
    raw = plain(part.properties)
    later = [location for location, _ in written_expressions(raw)]
    later += [
        tuple(item.parameter_key.split("."))
        for item in part.inputs
        if item.parameter_key
    ]
    try:
        return step_type.properties.model_validate(raw), ()
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_context=True)
    except Exception as exc:
        # A third party's model may raise anything; a file must not end the daemon.
        return None, (_strange(exc),)
    remaining = tuple(error for error in found if not _is_later(error["loc"], later))
    if remaining:
        return None, remaining
    fixed = {
        name: raw[key]
        for name, info in step_type.properties.model_fields.items()
        if (key := info.alias or name) in raw and not _is_later((key,), later)
    }
    return step_type.properties.model_construct(**fixed), ()


def _strange(exc: Exception) -> ErrorDetails:
    return {
        "type": "value_error",
        "loc": (),
        "msg": str(exc),
        "input": None,
        "ctx": {"error": exc},
    }


def _is_later(location: Location, later: list[Location]) -> bool:
    """Whether an error's place is, holds or lies in one that is filled in later."""
    if not location:
        return bool(later)  # a rule over several fields: judged with their values
    names = [part for part in location if isinstance(part, str)]
    for place in later:
        wanted = [part for part in place if isinstance(part, str)]
        size = min(len(names), len(wanted))
        if size and names[:size] == wanted[:size]:
            return True
    return False
