"""depends-on: waits for another environment, or for an object, to be well."""

from datetime import timedelta
from typing import Literal, Self, cast

from pydantic import BaseModel, Field, model_validator

from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.expressions import did_you_mean
from gitops_wf.core.identifiers import (
    EnvironmentName,
    environment_id,
    environment_name,
    repository_name,
)
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.planned import Planned
from gitops_wf.core.revision import Revision
from gitops_wf.delivery import (
    AwaitedProperties,
    ObjectProperties,
    ObjectReader,
    look_again,
    reader_for,
    reads_awaited,
    until_healthy,
)
from gitops_wf.ports.revisions import Revisions
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType


class DependsOnProperties(AwaitedProperties):
    """What the step takes: an environment, or an object."""

    environment: str | None = Field(
        default=None, description="Another environment of this repository."
    )
    revision: Literal["newest", "atOrBefore", "same"] = Field(
        default="newest",
        description="Which of its revisions must have succeeded: the newest there is, "
        "the newest at or before this commit, or that of this very commit.",
    )
    if_missing: Literal["wait", "fail"] = Field(
        default="wait",
        description="Whether an object that is not there is waited for.",
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.environment is None) == (self.object is None):
            raise ValueError("write either environment or object")
        if self.object is not None and "revision" in self.model_fields_set:
            raise ValueError("revision is about an environment; an object has none")
        if self.environment is not None and "if_missing" in self.model_fields_set:
            raise ValueError("ifMissing is about an object; an environment is there")
        return self


class DependsOnRunner:
    """Looks until what is depended on is well, and fails as soon as it is not."""

    def __init__(self, revisions: Revisions, reader: ObjectReader) -> None:
        self._revisions = revisions
        self._reader = reader

    def attempt(self, context: StepContext) -> StepResult:
        """Look for the first time."""
        return self.look(context)

    def plan(self, context: StepContext) -> Planned:
        """Return what it waits for."""
        properties = cast("DependsOnProperties", context.properties)
        if properties.object is not None:
            return Planned(effects=(f"waits until {properties.object} is healthy",))
        which = {
            "newest": "the newest revision",
            "atOrBefore": "the revision at or before this commit",
            "same": "the revision of this commit",
        }[properties.revision]
        name = properties.environment
        return Planned(effects=(f"waits until {which} of {name} has succeeded",))

    def look(self, context: StepContext) -> StepResult:
        """Say how it is."""
        properties = cast("DependsOnProperties", context.properties)
        if properties.object is not None:
            return self._object(context, properties.object, properties.if_missing)
        assert properties.environment is not None
        return self._environment(
            context, EnvironmentName(properties.environment), properties.revision
        )

    def _environment(
        self, context: StepContext, name: EnvironmentName, which: str
    ) -> StepResult:
        repository = repository_name(context.subject.environment)
        known = self._revisions.environments(repository)
        if name not in known:
            raise TerminalError(
                f"there is no environment {cut(name, 64)} in repository {repository}"
                f"{did_you_mean(name, known)}",
                reason="EnvironmentNotFound",
            )
        if name == environment_name(context.subject.environment):
            raise TerminalError(
                f"{name} would wait for itself: name another environment",
                reason=Reason.INVALID_DEFINITION,
            )
        other = environment_id(repository, name)
        if which == "newest":
            found = self._revisions.newest(other)
        else:
            own = self._revisions.revision(
                context.subject.environment, context.subject.number
            )
            assert own is not None
            found = self._revisions.newest(other, position=own.position)
        commit = context.subject.commit
        if which == "same" and (found is None or found.commit != commit):
            return StepResult(
                phase=Phase.FAILED,
                reason="NoSuchRevision",
                message=f"{name} has no revision of commit {commit[:8]}: the commit "
                "changes nothing of it; `revision: atOrBefore` takes the one before",
            )
        if found is None:
            return look_again(context, f"waits for a first revision of {name}")
        return _judged(context, name, found)

    def _object(
        self, context: StepContext, wanted: ObjectProperties, if_missing: str
    ) -> StepResult:
        found = self._reader.read(context, wanted)
        if found.manifest is None and if_missing == "fail":
            return StepResult(
                phase=Phase.FAILED, reason="NotFound", message=found.missing
            )
        return until_healthy(context, found, reason=Reason.DEPENDENCY_FAILED)


def _judged(context: StepContext, name: str, found: Revision) -> StepResult:
    what = f"{name}#{found.number} ({found.commit[:8]})"
    outputs = {
        "dependency": {
            "environment": name,
            "number": found.number,
            "commit": found.commit,
            "phase": found.phase.value,
        }
    }
    if found.phase is Phase.SUCCEEDED:
        return StepResult(
            phase=Phase.SUCCEEDED, message=f"{what} has succeeded", outputs=outputs
        )
    why = " ".join(
        text
        for text in (found.reason, cut(found.message) and f"({cut(found.message)})")
        if text
    )
    if found.phase.is_final:
        return StepResult(
            phase=Phase.FAILED,
            reason=Reason.DEPENDENCY_FAILED,
            message=f"{what} has ended {found.phase}" + (f": {why}" if why else ""),
            outputs=outputs,
        )
    return look_again(
        context,
        f"waits for {what}, which is {found.phase}" + (f": {why}" if why else ""),
    )


def _environments(properties: BaseModel) -> tuple[EnvironmentName, ...]:
    assert isinstance(properties, DependsOnProperties)
    name = properties.environment
    return () if name is None else (EnvironmentName(name),)


def _make(capabilities: Capabilities) -> DependsOnRunner:
    return DependsOnRunner(capabilities.revisions, reader_for(capabilities))


STEP_TYPE = StepType(
    name="depends-on",
    properties=DependsOnProperties,
    make=_make,
    default_timeout=timedelta(hours=1),
    reads=reads_awaited,
    environments=_environments,
    output_roots=("dependency",),
    summary="wait until another environment has succeeded, or an object is healthy",
)
