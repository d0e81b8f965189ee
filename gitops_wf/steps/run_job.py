"""run-job: runs a Job of this revision once, such as to initialise data."""

from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Self, cast

from pydantic import (
    BaseModel,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gitops_wf.core.backoff import FIRST_LOOK, next_look
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import DefinitionError, cut
from gitops_wf.core.health import Health
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.planned import Planned
from gitops_wf.delivery import (
    JobOrder,
    JobRuns,
    JobState,
    RanBefore,
    TargetProperties,
    all_at_once,
    chosen_targets,
    target_of,
)
from gitops_wf.delivery.job_manifests import inline_job, short_job
from gitops_wf.delivery.rendering import Source
from gitops_wf.ports.properties import VERBATIM, Properties
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType

LOG_IN_MESSAGE = 400


class KeyRef(Properties):
    """A key of a Secret or ConfigMap on the cluster, in the Job's namespace."""

    name: str = Field(description="Name of the object.")
    key: str = Field(description="Key in it.")
    optional: bool = Field(
        default=False, description="Whether the Job runs where it is missing."
    )


class EnvValue(Properties):
    """A variable's value: text, or a key of an object on the cluster."""

    value: str | None = Field(default=None, description="The value, if no secret.")
    secret_key_ref: KeyRef | None = Field(
        default=None, description="Key of a Secret on the cluster."
    )
    config_map_key_ref: KeyRef | None = Field(
        default=None, description="Key of a ConfigMap on the cluster."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"value": value}
        if not isinstance(value, dict | cls):
            raise ValueError(  # noqa: TRY004  pydantic reports ValueError as the user's
                "write text (in quotes, if it is a number or a truth value),"
                " {secretKeyRef: {name, key}} or {configMapKeyRef: {name, key}}"
            )
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = (self.value, self.secret_key_ref, self.config_map_key_ref)
        if sum(each is not None for each in given) != 1:
            raise ValueError("write one of value, secretKeyRef and configMapKeyRef")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(core_schema)]}

    def manifest(self, name: str) -> dict[str, Any]:
        """Return it as a container's env has it."""
        if self.value is not None:
            return {"name": name, "value": self.value}
        source = self.model_dump(
            by_alias=True, exclude_none=True, exclude_defaults=True
        )
        return {"name": name, "valueFrom": source}


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

    value: Annotated[dict[str, Any] | None, VERBATIM] = Field(
        default=None, description="The Job itself, in place of a file."
    )
    manifest: str | None = Field(
        default=None,
        description="File with the Job, from the environment's folder; its name "
        "gets the commit and a mark added.",
    )
    image: str | None = Field(default=None, description="Image of the one container.")
    command: tuple[str, ...] = Field(default=(), description="Its entry point.")
    args: tuple[str, ...] = Field(default=(), description="Its arguments.")
    env: dict[str, EnvValue] = Field(
        default_factory=dict,
        description="Variables: text, or {secretKeyRef: {name, key}} or "
        "{configMapKeyRef: {name, key}} of the cluster; no secrets as text.",
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
    only_once: (
        bool | Annotated[str, StringConstraints(min_length=1, max_length=128)]
    ) = Field(
        default=False,
        description="Whether it runs once in the environment's life, and not for each "
        "revision; text does the same, and another text lets it run again.",
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = (self.manifest, self.value, self.image)
        if sum(form is not None for form in forms) != 1:
            raise ValueError("write one of manifest, image and value")
        short = (self.command, self.args, self.env, self.env_from)
        if self.image is None and (any(short) or self.backoff_limit is not None):
            raise ValueError(
                "command, args, env, envFrom and backoffLimit go with image: with "
                "manifest or value, write them there"
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
        return self._started(context)

    def look(self, context: StepContext) -> StepResult:
        """See how the Job is doing; make it, where an earlier one had to go first."""
        memo = context.memo
        if "name" not in memo:
            return self._started(context)
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
        return self._seen(state, context)

    def plan(self, context: StepContext) -> Planned:
        """Return what a first attempt would do."""
        return self._jobs.plan(self._order(context))

    def _started(self, context: StepContext) -> StepResult:
        try:
            order = self._order(context)
            started = (
                self._jobs.start_once(order) if order.once else self._jobs.start(order)
            )
        except DefinitionError as exc:
            return StepResult(
                phase=Phase.FAILED,
                reason=Reason.INVALID_DEFINITION,
                message=str(exc),
                is_final=True,
            )
        match started:
            case RanBefore():
                return StepResult(
                    phase=Phase.SUCCEEDED,
                    message=str(started),
                    outputs={
                        "job": started.mark.job.rpartition("/")[2],
                        "namespace": started.mark.job.split("/")[-2:][0],
                        "log": "",
                        "exitCode": 0,
                        "ranBefore": True,
                    },
                )
            case JobState():
                return self._seen(started, context)
            case None:
                return StepResult(
                    phase=Phase.RUNNING,
                    message="waiting for an earlier Job of this step to be gone",
                    retry_after=FIRST_LOOK,
                )

    def _seen(self, state: JobState, context: StepContext) -> StepResult:
        """Judge how the Job is; one that may run only once is noted when it is done."""
        properties = cast("RunJobProperties", context.properties)
        if properties.only_once and state.status.health is Health.CURRENT:
            self._jobs.note_done(self._order(context), state, context.now)
        return _judged(state, context)

    def _order(self, context: StepContext) -> JobOrder:
        target = target_of(context)
        properties = cast("RunJobProperties", context.properties)
        return JobOrder(
            id=context.subject.environment,
            commit=context.subject.commit,
            run=context.run,
            run_ordinal=context.run_ordinal,
            step=str(context.step),
            attempt=context.attempt,
            target=target,
            source=self._source(context, properties),
            namespace=properties.namespace or "",
            once=_once_key(context, properties),
        )

    def _source(self, context: StepContext, properties: RunJobProperties) -> Source:
        if properties.manifest is not None:
            [path] = manifest_path(properties, context.environment)
            return self._jobs.source(
                context.subject.environment,
                context.environment,
                context.subject.commit,
                path,
            )
        if properties.value is not None:
            return inline_job(properties.value, str(context.step))
        assert properties.image is not None
        manifest = short_job(
            str(context.step),
            image=properties.image,
            command=properties.command,
            args=properties.args,
            env=[entry.manifest(name) for name, entry in properties.env.items()],
            env_from=[entry.manifest() for entry in properties.env_from],
            backoff_limit=properties.backoff_limit,
        )
        return Source(manifest=manifest, path=f"step {context.step}", line=None)


def _once_key(context: StepContext, properties: RunJobProperties) -> str:
    """Return what tells this step's Job from others that run once; empty for none."""
    if properties.only_once is False:
        return ""
    # Not the whole name: a step on several targets has theirs in it.
    step = str(context.step).partition("/")[0]
    return step if properties.only_once is True else f"{step}/{properties.only_once}"


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
        "ranBefore": False,
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
                retry_after=next_look(context.look),
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
    output_roots=("job", "namespace", "log", "exitCode", "ranBefore"),
    summary="run a Job of this revision, and wait for its end",
)
