"""The shape of environment.yaml, and its core value."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator, model_validator

from gitops_wf.core.environment import (
    After,
    Commits,
    Environment,
    HelmChart,
    OnFailure,
    OnRemove,
    Subscription,
    Substitute,
)
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RepositoryName,
    TargetName,
    environment_name,
    repository_name,
)
from gitops_wf.definitions.drift import DriftPart
from gitops_wf.definitions.fields import (
    API_VERSION,
    Flag,
    Name,
    Part,
    PathName,
    QueueLength,
    Span,
    Text,
    VariableName,
    broken,
)
from gitops_wf.definitions.policies import PolicyPart
from gitops_wf.ports.properties import SecretKey

EventKind = Literal[
    "added", "moved", "removed", "created", "started", "suspended", "approved",
    "stepFailed", "succeeded", "rolledBack", "failed", "errored", "aborted", "rejected",
    "superseded", "decided", "decisionRefused", "decisionRemoved",
    "approvalsUnreadable", "drift", "healed", "renewed", "degraded", "recovered",
    "reminder",
    "reverted", "notReverted", "frozen", "paused", "resumed", "inventoryUnread",
    "inventoryBehind", "storeBehind",
]  # fmt: skip
"""What `on:` may name: the kinds of `core.event.Event` that environments have."""


class WorkflowRef(Part):
    """Where the workflow stands, if not in ./workflow.yaml."""

    ref: Text = Field(description="Path of a workflow file, from this folder.")

    @model_validator(mode="before")
    @classmethod
    def _no_steps_beside_it(cls, value: object) -> object:
        if isinstance(value, dict) and "steps" in value:
            raise broken(
                "two-workflows",
                "steps stand in workflow.yaml beside this file, or in the file that"
                " `ref` names, not here",
            )
        return value


class AfterPart(Part):
    """An environment that must have succeeded first."""

    environment: PathName = Field(
        description="Its name; repository/name for one of another watched repository."
    )
    soak: Span | None = Field(
        default=None, description="How long it must have been well before this begins."
    )

    def to_core(self, meant: EnvironmentId, own: RepositoryName) -> After:
        """The core's value, where the name means that environment."""
        repository = repository_name(meant)
        return After(
            environment=environment_name(meant),
            repository=None if repository == own else repository,
            soak=self.soak or timedelta(),
        )


class NotifyPart(Part):
    """Events that go to a channel of the daemon config."""

    channel: Name = Field(description="A channel of the daemon config.")
    on: tuple[EventKind, ...] = Field(min_length=1, description="Which events.")

    def to_core(self) -> Subscription:
        """The core's value."""
        return Subscription(channel=self.channel, events=self.on)


class HelmPart(Part):
    """A chart of the repository, delivered in place of the folder's manifests."""

    chart: Text = Field(
        default=".", description="Path of the chart's folder, from this folder."
    )
    release: Name | None = Field(
        default=None,
        description="Release name; default: the application, else our name.",
    )
    values: tuple[Text, ...] = Field(
        default=(), description="Values files, from this folder; later ones win."
    )
    targets: dict[Name, tuple[Text, ...]] = Field(
        default_factory=dict, description="Further values files by target."
    )


class SubstitutePart(Part):
    """Values of `${name}` in what is delivered; without it, that is plain text."""

    values: dict[VariableName, Text] = Field(
        default_factory=dict, description="Values by name; text or numbers."
    )
    targets: dict[Name, dict[VariableName, Text]] = Field(
        default_factory=dict, description="Values by target and name; they win."
    )


class DecryptionPart(Part):
    """The keys of files that SOPS has encrypted."""

    provider: Literal["sops"] = Field(default="sops", description="Always sops.")
    secret_ref: SecretKey = Field(
        description="Secret of the daemon config: age identities, or an armoured"
        " OpenPGP private key."
    )


class EnvironmentFile(Part):
    """An environment: a folder with targets and a workflow."""

    api_version: Literal["gitops-wf.io/v1alpha1"] = Field(
        description=f"Always {API_VERSION}."
    )
    kind: Literal["Environment"] = Field(description="Always Environment.")
    name: PathName | None = Field(
        default=None, description="Default: the folder's path below the glob's prefix."
    )
    application: Name | None = Field(
        default=None, description="Groups environments of one application."
    )
    targets: tuple[Name, ...] | None = Field(
        default=None, description="Targets of the daemon config, in order of delivery."
    )
    workflow: WorkflowRef | None = Field(
        default=None, description="Default: ./workflow.yaml, else one is generated."
    )
    after: tuple[AfterPart, ...] = Field(
        default=(), description="Environments that must have succeeded first."
    )
    commits: Literal["every", "latest", "strict"] = Field(
        default="every", description="What a newer revision does to an older one."
    )
    max_pending: QueueLength = Field(
        default=10, description="How many revisions may wait."
    )
    watch: tuple[Text, ...] = Field(
        default=(), description="Further inputs: paths from this folder."
    )
    ignore: tuple[Text, ...] = Field(
        default=("*.md",), description="Patterns of files that are no inputs."
    )
    on_remove: Literal["orphan", "delete"] = Field(
        default="orphan",
        description="What happens to objects when the folder goes; with `delete` the "
        "commit that removes it is a revision which deletes them.",
    )
    on_failure: Literal["leave", "revert"] = Field(
        default="leave",
        description="What happens where a revision has Failed; with `revert` the daemon"
        " commits and pushes what goes back to the released one. Needs `push` of the"
        " repository in the daemon config.",
    )
    suspend: Flag = Field(default=False, description="Start no runs for now.")
    prune: Flag = Field(
        default=True, description="Delete objects that left the folder."
    )
    allow_empty: Flag = Field(
        default=False, description="Whether prune may delete the last object."
    )
    drift: DriftPart = Field(
        default=DriftPart(),
        description="How live objects are compared with Git after a release.",
    )
    notify: tuple[NotifyPart, ...] = Field(
        default=(), description="Which events go to which channel."
    )
    policy: PolicyPart = Field(
        default=PolicyPart(), description="Tightens the daemon config's policy."
    )
    helm: HelmPart | None = Field(default=None, description="A chart to deliver.")
    substitute: SubstitutePart | None = Field(
        default=None, description="Fill `${name}` in manifests."
    )
    decryption: DecryptionPart | None = Field(
        default=None, description="Decrypt files that SOPS has encrypted."
    )

    @field_validator("targets")
    @classmethod
    def _each_once(cls, targets: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for target in targets or ():
            if (targets or ()).count(target) > 1:
                raise broken("duplicate-target", f"`{target}` is named twice")
        return targets

    def to_core(
        self,
        *,
        name: EnvironmentName,
        folder: str,
        targets: tuple[TargetName, ...],
        workflow_ref: str | None,
        watch: tuple[str, ...],
        helm: HelmChart | None,
        groups: Mapping[str, tuple[str, ...]],
        after: tuple[After, ...],
    ) -> Environment:
        """The core's value; paths are resolved already."""
        own = self.targets
        ref = self.decryption.secret_ref if self.decryption else SecretKey(name="")
        return Environment(
            name=name,
            folder=folder,
            application=self.application or "",
            targets=targets if own is None else tuple(map(TargetName, own)),
            workflow_ref=workflow_ref,
            after=after,
            commits=Commits(self.commits),
            max_pending=self.max_pending,
            watch=watch,
            ignore=self.ignore,
            on_remove=OnRemove(self.on_remove),
            on_failure=OnFailure(self.on_failure),
            suspend=self.suspend,
            prune=self.prune,
            allow_empty=self.allow_empty,
            drift=self.drift.to_core(),
            notify=tuple(one.to_core() for one in self.notify),
            policy=self.policy.to_core(groups),
            helm=helm,
            substitute=None
            if self.substitute is None
            else Substitute(
                values=self.substitute.values,
                targets={
                    TargetName(name): values
                    for name, values in self.substitute.targets.items()
                },
            ),
            decryption="/".join(filter(None, (ref.name, ref.key))),
        )
