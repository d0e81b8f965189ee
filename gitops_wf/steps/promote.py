"""promote: commits this environment's content to another environment's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Self, cast

from pydantic import Field, field_validator, model_validator

from gitops_wf.core.backoff import next_look
from gitops_wf.core.commit import CommitInfo
from gitops_wf.core.errors import (
    DefinitionError,
    TerminalError,
    TransientError,
    cut,
)
from gitops_wf.core.identifiers import RepositoryName, Sha, repository_name
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.planned import Planned
from gitops_wf.core.upkeep.ignoring import parse_pointer
from gitops_wf.delivery.granted import GrantedSecrets
from gitops_wf.delivery.names import label_value
from gitops_wf.delivery.planning import failed
from gitops_wf.delivery.promoting import (
    HISTORY,
    ID_TRAILER,
    Destination,
    FieldWish,
    ReadFiles,
    changes,
    check_loop,
    message,
    promoted_from,
    promotion_id,
    promotion_line,
)
from gitops_wf.delivery.pull_requests import (
    Forge,
    Provider,
    PullRequest,
    PullState,
    Wanted,
    default_api,
    default_repository,
)
from gitops_wf.delivery.yaml_fields import Scalar
from gitops_wf.ports.content import Content
from gitops_wf.ports.git_writer import (
    BranchFiles,
    DaemonWriter,
    DaemonWriters,
    PushRejected,
)
from gitops_wf.ports.outbound import Outbound
from gitops_wf.ports.properties import Properties, SecretSource
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType
from gitops_wf.ports.secrets import Secrets

TRIES = 5
"""Pushes in one attempt: as often may others be first."""

EARLIER = timedelta(hours=1)
"""How much older than the step's begin its own commit may look: clocks differ."""

SHOWN = 10
"""Files that a plan names."""

FIRST_LOOK = timedelta(seconds=10)
LAST_LOOK = timedelta(minutes=2)


def _inside(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "" in parts or "\\" in path:
        raise ValueError(f"{cut(path, 80)!r} must be a path inside the folder")
    return path


def _pointer(text: str) -> str:
    if not parse_pointer(text):
        raise ValueError("write a JSON pointer, such as /images/0/newTag")
    return text


class FieldSource(Properties):
    """A field of this environment."""

    file: str = Field(description="File in this environment's folder.")
    pointer: str = Field(description="JSON pointer (RFC 6901) of the field.")

    _file = field_validator("file")(_inside)
    _field = field_validator("pointer")(_pointer)


class FieldTarget(Properties):
    """A field to set: as this environment has it, unless `from` or `value` says."""

    file: str = Field(description="YAML file in the other folder.")
    pointer: str = Field(description="JSON pointer (RFC 6901) of the field.")
    from_: FieldSource | None = Field(
        default=None,
        alias="from",
        description="Field of this environment to copy; default: of the same name.",
    )
    value: str | int | float | bool | None = Field(
        default=None, description="The value itself, such as an output."
    )

    _file = field_validator("file")(_inside)
    _field = field_validator("pointer")(_pointer)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.from_ is not None and "value" in self.model_fields_set:
            raise ValueError("write either from or value")
        return self

    def wish(self) -> FieldWish:
        """Return it as promotions have it."""
        if "value" in self.model_fields_set:
            value: Scalar = self.value
            return FieldWish(file=self.file, pointer=self.pointer, value=value)
        source = self.from_ or FieldSource(file=self.file, pointer=self.pointer)
        return FieldWish(
            file=self.file,
            pointer=self.pointer,
            from_file=source.file,
            from_pointer=source.pointer,
        )


class PullRequestProperties(Properties):
    """Where the pull request is opened, and with which token."""

    provider: Provider = Field(description="github, gitlab or gitea.")
    token: SecretSource = Field(description="Token of its API.")
    url: str | None = Field(
        default=None, description="Base of the API; default: by the repository's host."
    )
    repository: str | None = Field(
        default=None, description="owner/name there; default: by the repository's URL."
    )
    title: str | None = Field(default=None, description="Default: the commit's title.")
    body: str | None = Field(default=None, description="Default: the commit's text.")
    wait_for_merge: bool = Field(
        default=False,
        description="Whether the step ends when it is merged, and not when it is open.",
    )


class PromoteProperties(Properties):
    """What a promote step takes."""

    folder: str = Field(description="Folder of the other environment, from the root.")
    repository: str | None = Field(
        default=None,
        description="Repository of the daemon config; default: this environment's.",
    )
    mode: Literal["push", "pullRequest"] = Field(
        default="push", description="To the branch itself, or by a pull request."
    )
    paths: tuple[str, ...] | None = Field(
        default=None,
        description="Files and folders that become as they are here; default: all, "
        "unless values are given.",
    )
    values: tuple[FieldTarget, ...] = Field(
        default=(), description="Single fields of YAML files to set."
    )
    message: str | None = Field(
        default=None, description="Title of the commit, and text below it."
    )
    pull_request: PullRequestProperties | None = Field(
        default=None, description="For mode: pullRequest."
    )

    @field_validator("folder")
    @classmethod
    def _in_the_repository(cls, folder: str) -> str:
        return _inside(folder.rstrip("/"))

    @field_validator("paths")
    @classmethod
    def _some_paths(cls, paths: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if paths is not None and not paths:
            raise ValueError("name one path at least, or leave it out")
        return None if paths is None else tuple(_inside(p.rstrip("/")) for p in paths)

    @model_validator(mode="after")
    def _mode_and_pull_request(self) -> Self:
        if (self.mode == "pullRequest") != (self.pull_request is not None):
            raise ValueError("mode: pullRequest and pullRequest go together")
        return self

    @property
    def all_paths(self) -> tuple[str, ...]:
        """Which paths become as they are here."""
        if self.paths is not None:
            return self.paths
        return () if self.values else (".",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One promotion: which, where to, and through which folders it came."""

    context: StepContext
    properties: PromoteProperties
    to: Destination
    id: str
    path: tuple[str, ...]

    @property
    def branch(self) -> str:
        """The branch of its pull request: the same for each repetition."""
        label = label_value(self.context.subject.environment)
        return f"gitops-wf/{label}-{self.context.subject.commit[:8]}-{self.id[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteRunner:
    """Writes the commit, or finds the one that it has written before."""

    writers: DaemonWriters | None
    content: Content
    outbound: Outbound
    secrets: Secrets

    def attempt(self, context: StepContext) -> StepResult:
        """Commit and push, and open the pull request where one is asked for.

        Errors: TransientError where others pushed first each time; TerminalError
        (PushNotAllowed, PushRejected, PromotionLoop, PullRequestRefused).
        """
        properties = cast("PromoteProperties", context.properties)
        task = self._task(context, properties)
        assert self.writers is not None
        with self.writers.open(
            task.to.repository, context.subject.environment, at=context.started
        ) as writer:
            try:
                if properties.pull_request is None:
                    return self._pushed(task, writer)
                return self._requested(task, writer)
            except DefinitionError as exc:
                return StepResult(
                    phase=Phase.FAILED,
                    reason=Reason.INVALID_DEFINITION,
                    message=str(exc),
                    is_final=True,
                )

    def plan(self, context: StepContext) -> Planned:
        """Return which files would be committed where, as the branch is by then.

        What another repository holds is not read.
        """
        properties = cast("PromoteProperties", context.properties)
        task, subject = self._task(context, properties), context.subject
        how = "pushes"
        if properties.pull_request is not None:
            how = f"opens a pull request ({properties.pull_request.provider})"
        if task.to.repository != repository_name(subject.environment):
            text = f"{how} to {task.to}: what differs there, only the run sees"
            return Planned(effects=(text,))
        there = self.content.folder(subject.environment, subject.commit, task.to.folder)
        try:
            files = self._changes(
                task, ReadFiles(files={file.path: file.data for file in there})
            )
        except DefinitionError as exc:
            return failed(exc)
        if not files:
            return Planned(effects=(f"{task.to} is so already: nothing to promote",))
        shown = [
            f"{path} deleted" if data is None else path
            for path, data in sorted(files.items())
        ]
        more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        text = f"{how} to {subject.branch} of {task.to.repository}"
        return Planned(effects=(f"{text}: {', '.join(shown[:SHOWN])}{more}",))

    def look(self, context: StepContext) -> StepResult:
        """See what became of the pull request."""
        properties = cast("PromoteProperties", context.properties)
        memo = context.memo
        pull = self._forge(context, properties, memo["url"]).find(
            memo["branch"], memo["base"]
        )
        if pull is None:
            raise TerminalError(
                f"the pull request of branch {memo['branch']} is gone",
                reason="PullRequestClosed",
            )
        return _told(pull, context, properties, memo)

    def _task(self, context: StepContext, properties: PromoteProperties) -> _Task:
        subject = context.subject
        own = repository_name(subject.environment)
        to = Destination(
            repository=RepositoryName(properties.repository or own),
            folder=properties.folder,
        )
        here = Destination(repository=own, folder=context.environment.folder)
        if to == here:
            raise TerminalError(
                f"folder {to.folder} is this environment's own: name another's",
                reason=Reason.INVALID_DEFINITION,
            )
        if self.writers is None:
            raise TerminalError(
                "nothing is committed from here", reason="PushNotAllowed"
            )
        self.writers.check(to.repository, subject.environment, to.folder)
        came = self.writers.brought(subject.environment, subject.commit, here.folder)
        path = check_loop(came, to)
        return _Task(
            context=context,
            properties=properties,
            to=to,
            id=promotion_id(subject, context.run_ordinal, str(context.step), to),
            path=tuple(dict.fromkeys((*path, str(here)))),
        )

    def _pushed(self, task: _Task, writer: DaemonWriter) -> StepResult:
        for _ in range(TRIES):
            _refresh(task, writer)
            done = self._found(task, writer)
            if done is not None:
                return _committed(task, done, "was promoted before", writer.branch)
            written = self._written(task, writer)
            if written is None:
                return _nothing_new(task, writer.branch)
            result = writer.push()
            if not isinstance(result, PushRejected):
                return _committed(task, written, "promoted", writer.branch)
            if not result.is_stale:
                raise _rejected(task, result)
        raise TransientError(f"{task.to}: others pushed first {TRIES} times in a row")

    def _requested(self, task: _Task, writer: DaemonWriter) -> StepResult:
        context, properties = task.context, task.properties
        forge = self._forge(context, properties, writer.url)
        memo = {"url": writer.url, "branch": task.branch, "base": writer.branch}
        there = forge.find(task.branch, writer.branch)
        if there is not None:
            return _told(there, context, properties, memo)
        _refresh(task, writer)
        done = self._found(task, writer)
        if done is not None:
            return _committed(task, done, "was promoted before", writer.branch)
        sha = self._branch(task, writer)
        if sha is None:
            return _nothing_new(task, writer.branch)
        asked = properties.pull_request
        assert asked is not None
        title, _, text = writer.message(sha).partition("\n")
        pull = forge.open(
            Wanted(
                head=task.branch,
                base=writer.branch,
                title=asked.title or title,
                body=asked.body or text.strip(),
            )
        )
        return _told(pull, context, properties, memo | {"commit": sha})

    def _branch(self, task: _Task, writer: DaemonWriter) -> Sha | None:
        """Return the head of our branch, pushed now or before; None: nothing new."""
        there = writer.branch_head(task.branch)
        if there is None:
            written = self._written(task, writer)
            if written is None:
                return None
            result = writer.push_to(task.branch)
            if not isinstance(result, PushRejected):
                return written
            if not result.is_stale:
                raise _rejected(task, result)
            there = writer.branch_head(task.branch)
        if there is None or task.id not in writer.message(there):
            raise TerminalError(
                f"branch {task.branch} of {task.to.repository} is there, and not ours:"
                " delete it",
                reason="BranchTaken",
            )
        return there

    def _found(self, task: _Task, writer: DaemonWriter) -> Sha | None:
        """Return the commit that an attempt has brought to the branch before."""
        since = task.context.started - EARLIER
        return writer.find(f"{ID_TRAILER}: {task.id}", since=since)

    def _written(self, task: _Task, writer: DaemonWriter) -> Sha | None:
        """Commit what differs; None where nothing does."""
        properties, subject = task.properties, task.context.subject
        files = self._changes(task, writer)
        if not files:
            return None
        title = properties.message or (
            f"Promote {subject.environment}#{subject.number} to {task.to.folder}"
        )
        text = message(
            title,
            subject=subject,
            id_=task.id,
            to=task.to,
            path=(*task.path, str(task.to)),
            commits=self._commits(task, writer),
        )
        return writer.commit(files, text)

    def _changes(self, task: _Task, there: BranchFiles) -> dict[str, bytes | None]:
        """Return the files that differ there; None deletes."""
        context, properties = task.context, task.properties
        subject, folder = context.subject, context.environment.folder
        prefix = f"{folder}/" if folder else ""
        source = {
            file.path.removeprefix(prefix): file.data
            for file in self.content.folder(subject.environment, subject.commit, folder)
        }
        return changes(
            source,
            there,
            task.to.folder,
            paths=properties.all_paths,
            fields=[target.wish() for target in properties.values],
        )

    def _commits(self, task: _Task, writer: DaemonWriter) -> tuple[CommitInfo, ...]:
        """Return the commits that come: those since what came the last time."""
        assert self.writers is not None
        subject = task.context.subject
        line = promotion_line(subject.environment, task.to)
        last = writer.find(line, since=task.context.started - HISTORY)
        since = promoted_from(writer.message(last)) if last else None
        return tuple(
            self.writers.commits(
                subject.environment,
                subject.commit,
                since=since,
                folder=task.context.environment.folder,
            )
        )

    def _forge(
        self, context: StepContext, properties: PromoteProperties, url: str
    ) -> Forge:
        asked = properties.pull_request
        assert asked is not None
        api = (asked.url or default_api(asked.provider, url)).rstrip("/")
        granted = GrantedSecrets(
            secrets=self.secrets, environment=context.subject.environment
        )
        where = granted.destination({"value": api})
        return Forge(
            provider=asked.provider,
            api=api,
            repository=asked.repository or default_repository(url),
            token=granted.value(asked.token.model_dump(by_alias=True), host=where.host),
            outbound=self.outbound,
            now=context.now,
        )


def _refresh(task: _Task, writer: DaemonWriter) -> None:
    if writer.refresh() is None:
        raise TerminalError(
            f"repository {task.to.repository} has no branch {writer.branch}",
            reason="RepositoryNotFound",
        )


def _rejected(task: _Task, result: PushRejected) -> TerminalError:
    return TerminalError(
        f"the remote of {task.to.repository} refused the push: {result.message}",
        reason="PushRejected",
    )


def _outputs(**known: Any) -> dict[str, Any]:
    nothing = {"commit": "", "branch": "", "url": "", "number": 0, "state": ""}
    return nothing | known


def _committed(task: _Task, sha: Sha, how: str, branch: str) -> StepResult:
    return StepResult(
        phase=Phase.SUCCEEDED,
        message=f"{how} to {task.to} by commit {sha[:8]}",
        outputs=_outputs(commit=sha, branch=branch),
    )


def _nothing_new(task: _Task, branch: str) -> StepResult:
    return StepResult(
        phase=Phase.SUCCEEDED,
        message=f"{task.to} is so already: nothing to promote",
        outputs=_outputs(branch=branch),
    )


def _told(
    pull: PullRequest,
    context: StepContext,
    properties: PromoteProperties,
    memo: Mapping[str, Any],
) -> StepResult:
    """Judge what became of a pull request."""
    asked = properties.pull_request
    assert asked is not None
    outputs = _outputs(
        commit=memo.get("commit", ""),
        branch=memo["branch"],
        url=pull.url,
        number=pull.number,
        state=str(pull.state),
    )
    about = f"pull request {pull.number} ({cut(pull.url, 200)})"
    if pull.state is PullState.CLOSED:
        return StepResult(
            phase=Phase.FAILED,
            reason="PullRequestClosed",
            message=f"{about} was closed and not merged",
            outputs=outputs,
            is_final=True,
        )
    if pull.state is PullState.OPEN and asked.wait_for_merge:
        return StepResult(
            phase=Phase.RUNNING,
            message=f"{about} waits to be merged",
            outputs=outputs,
            retry_after=next_look(context.look, first=FIRST_LOOK, last=LAST_LOOK),
            memo=memo,
        )
    return StepResult(
        phase=Phase.SUCCEEDED, message=f"{about} is {pull.state}", outputs=outputs
    )


def _make(capabilities: Capabilities) -> PromoteRunner:
    return PromoteRunner(
        writers=capabilities.writers,
        content=capabilities.content,
        outbound=capabilities.outbound,
        secrets=capabilities.secrets,
    )


STEP_TYPE = StepType(
    name="promote",
    properties=PromoteProperties,
    make=_make,
    default_timeout=timedelta(minutes=10),
    output_roots=("commit", "branch", "url", "number", "state"),
    summary="commit this environment's content to another environment's folder",
)
