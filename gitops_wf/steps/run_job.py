"""run-job: runs a Job of this revision once, such as to initialise data."""

from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, Self, cast

from pydantic import BaseModel, Field, model_validator

from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.health import Health
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.delivery import (
    JobOrder,
    JobRuns,
    JobState,
    TargetProperties,
    all_at_once,
    chosen_targets,
)
from gitops_wf.delivery.jobs import short_job
from gitops_wf.delivery.rendering import Source
from gitops_wf.ports.properties import Properties
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType

FIRST_LOOK = timedelta(seconds=1)
LAST_LOOK = timedelta(seconds=10)
LOG_IN_MESSAGE = 400


class EnvSource(Properties):
    """Variables from a Secret or ConfigMap on the cluster, in the Job's namespace."""

    secret: str | None = Field(default=None, description="Name of a Secret.")
    config_map: str | None = Field(default=None, description="Name of a ConfigMap.")
    prefix: str | None = Field(default=None, description="Put before each name.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.secret is None) == (self.config_map is None):
            raise ValueError("write either secret or configMap")
        return self

    def manifest(self) -> dict[str, Any]:
        """Return it as a container's envFrom has it."""
        entry: dict[str, Any] = (
            {"secretRef": {"name": self.secret}}
            if self.secret is not None
            else {"configMapRef": {"name": self.config_map}}
        )
        return {**entry, "prefix": self.prefix} if self.prefix else entry


class RunJobProperties(TargetProperties):
    """What the step takes: a manifest, or an image and what to run in it."""

    manifest: str | None = Field(
        default=None,
        description="File with the Job, from the environment's folder; its name "
        "gets the commit and a mark added.",
    )
    image: str | None = Field(default=None, description="Image of the one container.")
    command: tuple[str, ...] = Field(default=(), description="Its entry point.")
    args: tuple[str, ...] = Field(default=(), description="Its arguments.")
    env: dict[str, str] = Field(
        default_factory=dict, description="Variables; no secrets here."
    )
    env_from: tuple[EnvSource, ...] = Field(
        default=(), description="Variables from Secrets and ConfigMaps on the cluster."
    )
    backoff_limit: int | None = Field(
        default=None, ge=0, description="How often a failed pod is tried again."
    )
    namespace: str | None = Field(
        default=None, description="Where it runs; default: the target's namespace."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.manifest is None) == (self.image is None):
            raise ValueError("write either manifest or image")
        short = (self.command, self.args, self.env, self.env_from)
        if self.manifest is not None and (any(short) or self.backoff_limit is not None):
            raise ValueError(
                "command, args, env, envFrom and backoffLimit go with image: with "
                "manifest, write them there"
            )
        if self.manifest is not None:
            path = PurePosixPath(self.manifest)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError("manifest must stay inside the environment's folder")
        return self


class RunJobRunner:
    """Makes the Job once an attempt; looks until it ends."""

    def __init__(self, jobs: JobRuns) -> None:
        self._jobs = jobs

    def attempt(self, context: StepContext) -> StepResult:
        """Create the Job, or find the one that this attempt has made before."""
        if context.target is None:
            raise TerminalError(
                f"environment {context.environment.name} has no target: name one in "
                "environment.yaml (`targets`) or in the step (`target`)",
                reason=Reason.INVALID_DEFINITION,
            )
        properties = cast("RunJobProperties", context.properties)
        try:
            state = self._jobs.start(
                JobOrder(
                    id=context.subject.environment,
                    commit=context.subject.commit,
                    run=context.run,
                    run_ordinal=context.run_ordinal,
                    step=str(context.step),
                    attempt=context.attempt,
                    target=context.target,
                    source=self._source(context, properties),
                    namespace=properties.namespace or "",
                )
            )
        except DefinitionError as exc:
            return StepResult(
                phase=Phase.FAILED,
                reason=Reason.INVALID_DEFINITION,
                message=str(exc),
                is_final=True,
            )
        return _judged(state, context)

    def look(self, context: StepContext) -> StepResult:
        """See how the Job is doing."""
        memo = context.memo
        ref = ObjectRef(
            group="batch", kind="Job", namespace=memo["namespace"], name=memo["name"]
        )
        assert context.target is not None
        state = self._jobs.look(context.subject.environment, context.target, ref)
        if state is None or state.uid != memo["uid"]:
            return StepResult(
                phase=Phase.ERRORED,
                reason="JobDeleted",
                message=f"{ref} was deleted before it was seen to end",
                memo=memo,
            )
        return _judged(state, context)

    def _source(self, context: StepContext, properties: RunJobProperties) -> Source:
        if properties.manifest is not None:
            [path] = manifest_path(properties, context.environment)
            return self._jobs.source(
                context.subject.environment,
                context.environment,
                context.subject.commit,
                path,
            )
        assert properties.image is not None
        manifest = short_job(
            str(context.step),
            image=properties.image,
            command=properties.command,
            args=properties.args,
            env=properties.env,
            env_from=[entry.manifest() for entry in properties.env_from],
            backoff_limit=properties.backoff_limit,
        )
        return Source(manifest=manifest, path=f"step {context.step}", line=1)


def manifest_path(properties: BaseModel, environment: Environment) -> tuple[str, ...]:
    """Return the file that the step uses, from the repository's root."""
    assert isinstance(properties, RunJobProperties)
    if properties.manifest is None:
        return ()
    return (str(PurePosixPath(environment.folder) / properties.manifest),)


def _judged(state: JobState, context: StepContext) -> StepResult:
    memo = {
        "name": state.ref.name,
        "namespace": state.ref.namespace,
        "uid": state.uid,
    }
    outputs = {
        "job": state.ref.name,
        "namespace": state.ref.namespace,
        "log": state.log,
        "exitCode": state.exit_code,
    }
    match state.status.health:
        case Health.CURRENT:
            return StepResult(
                phase=Phase.SUCCEEDED,
                message=f"{state.ref} complete",
                outputs=outputs,
                memo=memo,
            )
        case Health.FAILED:
            log = cut(state.log[-LOG_IN_MESSAGE:])
            return StepResult(
                phase=Phase.FAILED,
                reason="JobFailed",
                message=f"{state.ref}: {state.status.message}"
                + (f"; log: {log}" if log else ""),
                outputs=outputs,
                memo=memo,
            )
        case _:
            return StepResult(
                phase=Phase.RUNNING,
                message=f"{state.ref}: {state.status.message or state.status.health}",
                outputs=outputs,
                retry_after=min(FIRST_LOOK * 1.5 ** min(context.look, 8), LAST_LOOK),
                memo=memo,
            )


def _make(capabilities: Capabilities) -> RunJobRunner:
    return RunJobRunner(
        JobRuns(
            clusters=capabilities.clusters,
            content=capabilities.content,
            read=capabilities.manifests,
        )
    )


STEP_TYPE = StepType(
    name="run-job",
    aliases=("apply-job",),
    properties=RunJobProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    targets=chosen_targets,
    at_once=all_at_once,
    files=manifest_path,
    output_roots=("job", "namespace", "log", "exitCode"),
    summary="run a Job of this revision, and wait for its end",
)
