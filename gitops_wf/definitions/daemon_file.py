"""The shape of the daemon config."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from gitops_wf.core.addresses import AddressPolicy, networks
from gitops_wf.core.errors import cut
from gitops_wf.core.freeze import Window, WindowKind
from gitops_wf.definitions.channels_file import NotificationsPart
from gitops_wf.definitions.cloud_file import CloudPart
from gitops_wf.definitions.drift import DriftPart
from gitops_wf.definitions.fields import (
    Flag,
    Name,
    Part,
    PositiveSpan,
    Text,
    broken,
)
from gitops_wf.definitions.health_file import HealthPart
from gitops_wf.definitions.limits_file import (
    ConcurrencyPart,
    RenderersPart,
    RetentionPart,
)
from gitops_wf.definitions.policies import Person, PolicyPart
from gitops_wf.definitions.repositories_file import RepositoryPart
from gitops_wf.definitions.targets_file import TargetPart

_CRON_FIELDS = 5
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_SERVER = re.compile(r"(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})")


def _server(value: str) -> str:
    found = _SERVER.fullmatch(value)
    if found is None or int(found[2]) > 65535:
        raise broken(
            "server-syntax",
            f"`{cut(value, 80)}` is no address: write host:port, as 127.0.0.1:8080",
        )
    return value


def _store(value: str) -> str:
    if "://" in value and not value.startswith(("postgresql://", "sqlite:///")):
        raise broken(
            "store-url",
            "must be the path of an SQLite file or a URL postgresql://…",
        )
    return value


def _cron(value: str) -> str:
    problem = "five fields, such as 0 18 * * fri"
    if len(value.split()) == _CRON_FIELDS and croniter.is_valid(value):
        try:
            croniter(value, _SOME_DAY).get_next(datetime)
        except CroniterBadDateError:
            problem = "a day that is in some year"
        else:
            return value
    raise broken("cron-syntax", f"`{cut(value, 80)}` never begins: write {problem}")


def _network(value: str) -> str:
    try:
        networks((value,))
    except ValueError as exc:
        raise broken(
            "network-syntax",
            f"`{cut(value, 80)}` is no network: write one as 169.254.10.0/24, or an"
            " address",
        ) from exc
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise broken(
            "time-zone",
            f"`{cut(value, 80)}` is no time zone: write its name, as Europe/Berlin",
        ) from exc
    return value


def _by_key(value: Any) -> Any:
    return {"": value} if isinstance(value, str) else value


_ENV_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "additionalProperties": {"type": "string"}},
        ]
    }
)


class FreezeWindowPart(Part):
    """A time in which targets are not written to, or the only one in which they are."""

    kind: Literal["deny", "allow"] = Field(
        description="Not in it; or, where there is any of these, only in one."
    )
    schedule: Annotated[Text, AfterValidator(_cron)] = Field(
        description="When it begins: minute, hour, day, month, weekday, as cron has it."
    )
    duration: PositiveSpan = Field(description="How long it lasts.")
    time_zone: Annotated[Text, AfterValidator(_time_zone)] = Field(
        default="UTC", description="Zone of the schedule, as Europe/Berlin."
    )
    targets: tuple[Text, ...] | None = Field(
        default=None, description="Globs of targets; default: all."
    )

    def to_core(self) -> Window:
        """The core's value."""
        return Window(
            kind=WindowKind(self.kind),
            schedule=self.schedule,
            duration=self.duration,
            time_zone=self.time_zone,
            targets=self.targets,
        )


class PolicyRulePart(PolicyPart):
    """What holds for the environments that a glob matches."""

    environments: tuple[Text, ...] = Field(
        min_length=1, description="Globs over names; `*` matches everything."
    )
    targets: tuple[Text, ...] | None = Field(
        default=None, description="Globs of targets that they may use; default: all."
    )
    freeze: tuple[FreezeWindowPart, ...] = Field(
        default=(), description="When their targets may not be written to."
    )
    rollbacks: Literal["pass", "held"] = Field(
        default="pass", description="Whether a freeze holds rollbacks, too."
    )
    freeze_override: PolicyPart | None = Field(
        default=None, description="Whose approval of a step passes a freeze."
    )

    @model_validator(mode="after")
    def _freezes_something(self) -> Self:
        if not self.freeze and (self.freeze_override or self.rollbacks == "held"):
            raise broken(
                "freeze-missing",
                "`rollbacks` and `freezeOverride` are about the rule's own `freeze`:"
                " write its windows, or leave them out",
            )
        return self


class KubernetesSecretPart(Part):
    """A Secret on a target's cluster."""

    target: Name = Field(description="A target that is a cluster.")
    name: Text = Field(min_length=1, description="Name of the Secret.")
    namespace: Name | None = Field(
        default=None, description="Where it is; default: the target's namespace."
    )


class SecretPart(Part):
    """A secret's source, who may use it, and where it may be sent."""

    env: Annotated[dict[str, str] | None, BeforeValidator(_by_key), _ENV_SCHEMA] = (
        Field(
            default=None, description="A variable of the daemon, or one for each key."
        )
    )
    file: Text | None = Field(default=None, description="A file, or a folder of keys.")
    kubernetes: KubernetesSecretPart | None = Field(
        default=None,
        description="A Secret on a cluster, read as the environment is delivered there"
        " (`impersonate`), and as the daemon itself for its own uses.",
    )
    environments: tuple[Text, ...] = Field(
        default=(), description="Globs over repository/environment."
    )
    hosts: tuple[Text, ...] = Field(default=(), description="Globs over host names.")
    targets: tuple[Text, ...] = Field(
        default=(),
        description="Globs over targets on which export2secret may write it.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = (self.env, self.file, self.kubernetes)
        if sum(source is not None for source in sources) != 1:
            raise broken("secret-source", "write one of `env`, `file`, `kubernetes`")
        return self


class OutboundPart(Part):
    """Where requests of steps and channels may go, beside the open network."""

    loopback: Flag = Field(default=True, description="Whether to this machine itself.")
    allow: tuple[Annotated[Text, AfterValidator(_network)], ...] = Field(
        default=(),
        description="Addresses or networks (CIDR) that are else refused: link-local,"
        " metadata services of clouds, multicast.",
    )

    def to_core(self) -> AddressPolicy:
        """The core's value."""
        return AddressPolicy(allow=networks(self.allow), allow_loopback=self.loopback)


class DaemonFile(Part):
    """What the platform team trusts the daemon with."""

    instance: Name = Field(
        default="gitops-wf", description="The daemon's name in inventories."
    )
    adopt: bool = Field(
        default=False,
        description="Whether to take over what another live `instance` delivers; "
        "for a move or a rename, to be taken out again.",
    )
    directory: Text = Field(
        default=".gitops-wf", description="Where clones and the sandbox live."
    )
    store: Annotated[Text, AfterValidator(_store)] | None = Field(
        default=None,
        description="Path of an SQLite file, or postgresql://…; default: a file in"
        " `directory`.",
    )
    server: Annotated[Text, AfterValidator(_server)] | None = Field(
        default=None,
        description="host:port to serve health, metrics and the read-only API on, to"
        " whoever can reach it; default: nothing is served.",
    )
    hub: Name | None = Field(
        default=None,
        description="The target that holds cloud resources; see"
        " steps/deploy-cloud-resource.md.",
    )
    repositories: dict[Name, RepositoryPart] = Field(
        min_length=1, description="What is watched, by name."
    )
    targets: dict[Name, TargetPart] = Field(
        default_factory=dict, description="Where steps deliver to, by name."
    )
    groups: dict[Name, tuple[Person, ...]] = Field(
        default_factory=dict, description="Groups of people, by name."
    )
    policies: tuple[PolicyRulePart, ...] = Field(
        default=(), description="Who may approve; every one that matches counts."
    )
    secrets: dict[Name, SecretPart] = Field(
        default_factory=dict, description="Secrets by name; none is ambient."
    )
    notifications: NotificationsPart = Field(
        default=NotificationsPart(), description="Who is told of what."
    )
    retention: RetentionPart = Field(
        default=RetentionPart(),
        description="How much of the past is kept, and for how long.",
    )
    renderers: RenderersPart = Field(
        default=RenderersPart(), description="Limits of rendering."
    )
    outbound: OutboundPart = Field(
        default=OutboundPart(),
        description="Where requests of steps and channels may go.",
    )
    concurrency: ConcurrencyPart = Field(
        default=ConcurrencyPart(),
        description="Attempts, looks and messages at once.",
    )
    drift: DriftPart = Field(
        default=DriftPart(),
        description="For environments that say nothing else in their own `drift`; the"
        " rules of `ignore` hold for all.",
    )
    health: HealthPart = Field(
        default=HealthPart(), description="How objects of custom kinds are judged."
    )
    cloud_resources: CloudPart = Field(
        default=CloudPart(),
        description="What is a cloud resource, beside what is known.",
    )
