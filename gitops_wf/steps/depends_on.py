"""depends-on: waits for another environment, or for an object, to be well."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Self, cast

from pydantic import BaseModel, Field, model_validator

from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.expressions import did_you_mean
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    environment_name,
    meant_environment,
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
        default=None,
        description="The environment to wait for, in place of an object; "
        "repository/name for one of another watched repository.",
    )
    revision: Literal["newest", "atOrBefore", "same"] = Field(
        default="newest",
        description="Which of its revisions must have succeeded: the newest there is, "
        "the newest at or before this commit, or that of this very commit. Of another "
        "repository's environment, the newest.",
    )
    commit: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{7,64}$",
        description="The commit whose revision must have succeeded, in place of "
        "`revision`: 7 or more hex digits.",
    )
    if_missing: Literal["wait", "fail"] = Field(
        default="wait",
        description="Whether an object that is not there is waited for.",
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        written = self.model_fields_set
        if (self.environment is None) == (self.object is None):
            raise ValueError("write either environment or object")
        for key in ("revision", "commit"):
            if self.object is not None and key in written:
                raise ValueError(f"{key} is about an environment; an object has none")
        if {"revision", "commit"} <= written:
            raise ValueError("write either revision or commit")
        if self.environment is not None and "if_missing" in written:
            raise ValueError("ifMissing is about an object; an environment is there")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Other:
    """The environment that is waited for, and what it is called here.

    ``is_far``: it is of another repository, whose commits are in no order with ours.
    """

    id: EnvironmentId
    title: str
    is_far: bool


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
        other = self._meant(context, properties.environment)
        if other.is_far:
            missing = self._missing(other, properties.revision)
            if missing:
                return look_again(context, missing)
        if properties.commit is not None:
            found = self._revisions.of_commit(other.id, properties.commit)
            wanted = f"a revision of {other.title} at commit {properties.commit[:8]}"
        else:
            found = self._newest(context, other, properties.revision)
            wanted = f"a first revision of {other.title}"
        commit = context.subject.commit
        if properties.revision == "same" and (found is None or found.commit != commit):
            return StepResult(
                phase=Phase.FAILED,
                reason="NoSuchRevision",
                message=f"{other.title} has no revision of commit {commit[:8]}: the "
                "commit changes nothing of it; `revision: atOrBefore` takes the one "
                "before",
            )
        if found is None:
            return look_again(context, f"waits for {wanted}")
        return _judged(context, other, found)

    def _meant(self, context: StepContext, written: str) -> _Other:
        repository = repository_name(context.subject.environment)
        own = self._revisions.environments(repository)
        others = self._revisions.repositories()
        id_ = meant_environment(written, repository, own=own, others=others)
        if id_ is None:
            raise TerminalError(
                f"there is no environment {cut(written, 64)} in repository {repository}"
                + _no_repository(written, repository, own, others),
                reason="EnvironmentNotFound",
            )
        if id_ == context.subject.environment:
            raise TerminalError(
                f"{written} would wait for itself: name another environment",
                reason=Reason.INVALID_DEFINITION,
            )
        is_far = repository_name(id_) != repository
        return _Other(
            id=id_, title=id_ if is_far else environment_name(id_), is_far=is_far
        )

    def _missing(self, other: _Other, which: str) -> str:
        """Say that another repository has no such environment, as yet.

        Errors: TerminalError where its commits are to be compared with ours.
        """
        if which != "newest":
            raise TerminalError(
                f"revision: {which} compares commits of one repository, and {other.id}"
                " is of another: write newest, or name its `commit`",
                reason=Reason.INVALID_DEFINITION,
            )
        repository, name = repository_name(other.id), environment_name(other.id)
        known = self._revisions.environments(repository)
        if name in known:
            return ""
        return (
            f"waits for {other.id}: repository {repository} has no environment {name}"
            f" yet{did_you_mean(name, known)}"
        )

    def _newest(
        self, context: StepContext, other: _Other, which: str
    ) -> Revision | None:
        if which == "newest":
            return self._revisions.newest(other.id)
        own = self._revisions.revision(
            context.subject.environment, context.subject.number
        )
        assert own is not None
        return self._revisions.newest(other.id, position=own.position)

    def _object(
        self, context: StepContext, wanted: ObjectProperties, if_missing: str
    ) -> StepResult:
        found = self._reader.read(context, wanted)
        if found.manifest is None and if_missing == "fail":
            return StepResult(
                phase=Phase.FAILED, reason="NotFound", message=found.missing
            )
        return until_healthy(context, found, reason=Reason.DEPENDENCY_FAILED)


def _no_repository(
    written: str, repository: str, own: Collection[str], others: Collection[str]
) -> str:
    """Return what else could have been meant, or that nothing could."""
    other, _, name = written.partition("/")
    if not name or other == repository:
        return did_you_mean(written, own)
    return f", and no repository {cut(other, 64)} is watched" + did_you_mean(
        other, others
    )


def _judged(context: StepContext, other: _Other, found: Revision) -> StepResult:
    what = f"{other.title}#{found.number} ({found.commit[:8]})"
    outputs = {
        "dependency": {
            "environment": other.title,
            "number": found.number,
            "commit": found.commit,
            "phase": found.phase.value,
        }
    }
    if found.phase is Phase.SUCCEEDED:
        return StepResult(
            phase=Phase.SUCCEEDED, message=f"{what} has succeeded", outputs=outputs
        )
    # What a step of another repository said is for those who may see that one.
    said = "" if other.is_far else cut(found.message)
    why = " ".join(text for text in (found.reason, said and f"({said})") if text)
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
