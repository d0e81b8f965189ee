"""The shape of the daemon config."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gitops_wf.core.addresses import AddressPolicy, networks
from gitops_wf.core.concurrency import Concurrency
from gitops_wf.core.config import WINDOW, TargetKind
from gitops_wf.core.environment import Subscription
from gitops_wf.core.errors import cut
from gitops_wf.core.freeze import Window, WindowKind
from gitops_wf.core.impersonation import (
    Identity,
    ImpersonationRule,
    service_account,
)
from gitops_wf.core.links import COMMIT
from gitops_wf.core.reminding import Reminders
from gitops_wf.core.render_limits import RenderLimits
from gitops_wf.core.retention import Retention
from gitops_wf.core.sizes import Size
from gitops_wf.definitions.cloud_file import CloudPart
from gitops_wf.definitions.drift import DriftPart
from gitops_wf.definitions.environment_file import EventKind
from gitops_wf.definitions.fields import (
    Bytes,
    Flag,
    Name,
    Part,
    Places,
    Port,
    PositiveCount,
    PositiveSpan,
    Span,
    Text,
    VariableName,
    broken,
    sizes,
    spans,
)
from gitops_wf.definitions.health_file import HealthPart
from gitops_wf.definitions.policies import Person, PolicyPart
from gitops_wf.ports.properties import SecretSource, UrlSource

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:(?P<user>[^/@]*)@)?")
_SCP = re.compile(r"[\w.-]+@[\w.-]+:(?!:)")
_CRON_FIELDS = 5
_ACCOUNT = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
_HEADER = re.compile(r"[!-~]([ -~]{0,254}[!-~])?")
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_SERVER = re.compile(r"(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})")


def _url(value: str) -> str:
    found = _URL.match(value)
    if found is None:
        if ":" in value and not _SCP.match(value):
            raise broken(
                "repository-url",
                f"`{cut(value, 80)}` is neither a URL, nor user@host:path, nor a path",
            )
        return value
    if found["scheme"] not in {"https", "http", "ssh", "file"}:
        raise broken(
            "repository-url",
            f"`{cut(found['scheme'], 20)}` is not accepted: use https, ssh or file",
        )
    if found["user"] and (":" in found["user"] or found["scheme"] != "ssh"):
        raise broken(
            "repository-url",
            "holds credentials; put them into `secrets` and name that in `auth`",
        )
    return value


def _commit_url(value: str) -> str:
    if not value.startswith(("https://", "http://")) or COMMIT not in value:
        raise broken(
            "commit-url",
            f"`{cut(value, 80)}` leads to no commit: write"
            f" https://git.example.com/team/shop/commit/{COMMIT}",
        )
    return value


def _glob(value: str) -> str:
    path = value.removeprefix("!")
    if not path or path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise broken(
            "glob-syntax",
            f"`{cut(value, 80)}` is no pattern of folders: write one from the"
            " repository's root, such as envs/*",
        )
    return value


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


def _service_account(value: str) -> str:
    names = value.split("/")
    if len(names) > 2 or not all(_ACCOUNT.fullmatch(name) for name in names):
        raise broken(
            "impersonated-identity",
            f"`{cut(value, 80)}` is no service account: write namespace/name, or its"
            " name alone",
        )
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise broken(
            "impersonated-identity",
            f"`{cut(value, 80)}` cannot be sent: a user or group is printable ASCII",
        )
    return value


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


def _push(value: Any) -> Any:
    if isinstance(value, bool):
        return {} if value else None
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
Glob = Annotated[Text, AfterValidator(_glob)]


class SecretName(Part):
    """A secret of this config."""

    name: Name = Field(description="A name under `secrets`.")


class AuthPart(Part):
    """How to open a repository."""

    type: Literal["basic", "bearer", "ssh"] = Field(description="Kind of credential.")
    username: Text = Field(default="", description="For basic, and for ssh.")
    secret_ref: SecretName = Field(description="The password, token or private key.")
    known_hosts: Text = Field(default="", description="File with ssh host keys.")
    prefix: Text = Field(
        default="", description="Send it only to URLs that begin so; default: the URL."
    )


class VerifyPart(Part):
    """How signatures of commits are checked."""

    allowed_signers: Text = Field(
        description="File as `ssh-keygen -Y verify` reads it."
    )


class PushPart(Part):
    """Who may let the daemon commit here, and as whom it does."""

    environments: tuple[Text, ...] = Field(
        default=(),
        description="Globs over repository/environment; default: those of this"
        " repository.",
    )
    name: Text = Field(
        default="gitops-wf", min_length=1, description="Author of the commits."
    )
    email: Text = Field(
        default="gitops-wf@localhost",
        min_length=1,
        description="Address of the author.",
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "boolean"}, handler(core_schema)]}


class RepositoryPart(Part):
    """A branch to watch, and which of its folders are environments."""

    url: Annotated[Text, AfterValidator(_url)] = Field(
        description="https, ssh, file, or a path."
    )
    branch: Text = Field(default="main", min_length=1, description="The branch.")
    interval: PositiveSpan = Field(
        default=timedelta(seconds=60), description="Time between polls."
    )
    environments: tuple[Glob, ...] = Field(
        default=("envs/*",),
        min_length=1,
        description="Patterns of folders; with ! those to leave out.",
    )
    implicit: Flag = Field(
        default=False, description="Whether folders without control files count, too."
    )
    targets: tuple[Name, ...] = Field(
        default=(), description="For environments that name none."
    )
    auth: AuthPart | None = Field(default=None, description="How to open it.")
    verify: VerifyPart | None = Field(
        default=None, description="How signatures are checked."
    )
    allow_http: Flag = Field(default=False, description="Accept http without TLS.")
    push: Annotated[PushPart | None, BeforeValidator(_push)] = Field(
        default=None,
        description="Whether the daemon may commit here, for steps that promote and"
        " for `onFailure: revert`; `true`, or who may. Default: it only reads.",
    )
    commit_url: Annotated[Text, AfterValidator(_commit_url)] = Field(
        default="",
        description="Where a commit is shown on the web, with {commit} in it. Known by"
        " itself of GitHub, GitLab, Gitea, Forgejo and Bitbucket.",
    )

    @model_validator(mode="after")
    def _no_plain_http(self) -> Self:
        if self.url.startswith("http://") and not self.allow_http:
            raise broken(
                "repository-url", "http is readable by others: use https, or allowHttp"
            )
        return self


class GatePart(PolicyPart):
    """Writes to the target wait for approval, whatever a workflow says."""

    rollback: Literal["required", "waived"] = Field(
        default="required", description="Whether rollbacks wait, too."
    )


class ImpersonatePart(Part):
    """As whom some environments are delivered; `serviceAccount` or `user`."""

    environments: tuple[Text, ...] = Field(
        default=("*",),
        min_length=1,
        description="Globs over repository/environment; the first entry that matches"
        " counts.",
    )
    service_account: Annotated[Text, AfterValidator(_service_account)] | None = Field(
        default=None,
        description="namespace/name, or a name in the target's namespace.",
    )
    user: Annotated[Text, AfterValidator(_header)] | None = Field(
        default=None, description="A user of the cluster."
    )
    groups: tuple[Annotated[Text, AfterValidator(_header)], ...] = Field(
        default=(), description="Groups of that user."
    )

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        if (self.service_account is None) == (self.user is None):
            raise broken(
                "impersonated-identity", "write either `serviceAccount` or `user`"
            )
        if self.groups and self.user is None:
            raise broken(
                "impersonated-identity",
                "`groups` are of a `user`; a service account has its own",
            )
        return self

    def to_core(self, namespace: str) -> ImpersonationRule:
        """The core's value; the namespace is the target's."""
        if self.user is not None:
            identity = Identity(user=self.user, groups=self.groups)
        else:
            place, _, name = (self.service_account or "").rpartition("/")
            identity = service_account(place or namespace, name)
        return ImpersonationRule(environments=self.environments, identity=identity)


class TargetPart(Part):
    """A cluster, or a folder, that steps deliver to; exactly one of the first four."""

    sandbox: Flag = Field(default=False, description="The sandbox cluster.")
    kubeconfig: Text | None = Field(default=None, description="Path of a kubeconfig.")
    in_cluster: Flag = Field(default=False, description="The cluster it runs in.")
    directory: Text | None = Field(
        default=None, description="Write files here in place of a cluster."
    )
    context: Text = Field(default="", description="Context of the kubeconfig.")
    namespace: Name = Field(
        default="default", description="For objects that name none."
    )
    namespaces: tuple[Text, ...] | None = Field(
        default=None,
        description="Globs: only these may be written to; default: all.",
    )
    kinds: tuple[Text, ...] | None = Field(
        default=None,
        description="Only these may be written, as Kind or Kind.group; default: all.",
    )
    substitute: dict[VariableName, Text] = Field(
        default_factory=dict,
        description="Values of `${name}` there, for environments that declare"
        " `substitute`; their own values win.",
    )
    impersonate: tuple[ImpersonatePart, ...] = Field(
        default=(),
        description="As whom environments are delivered there; one that no entry is"
        " for, is not. Default: all as the daemon itself.",
    )
    gate: GatePart | None = Field(
        default=None, description="Who must approve writes to it."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [
            self.sandbox,
            self.kubeconfig is not None,
            self.in_cluster,
            self.directory is not None,
        ]
        if sum(given) != 1:
            raise broken(
                "target-kind",
                "write exactly one of sandbox: true, kubeconfig: PATH, inCluster: true"
                " and directory: PATH",
            )
        if self.directory is not None and self.impersonate:
            raise broken(
                "impersonated-identity",
                "`impersonate`: a directory knows no users, so leave it out",
            )
        return self

    @property
    def kind(self) -> TargetKind:
        """Which of the four it is."""
        if self.sandbox:
            return TargetKind.SANDBOX
        if self.kubeconfig is not None:
            return TargetKind.KUBECONFIG
        return TargetKind.IN_CLUSTER if self.in_cluster else TargetKind.DIRECTORY


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


class SlackChannel(Part):
    """A Slack incoming webhook."""

    type: Literal["slack"] = Field(description="Slack.")
    url: UrlSource = Field(description="The webhook's URL.")


class DingdingChannel(Part):
    """A custom robot of DingTalk."""

    type: Literal["dingding"] = Field(description="DingTalk.")
    url: UrlSource = Field(description="The robot's URL.")
    sign: SecretSource | None = Field(default=None, description="Its signing secret.")
    at: dict[str, Any] | None = Field(default=None, description="Who is called.")


class LarkChannel(Part):
    """A custom robot of Lark or Feishu."""

    type: Literal["lark"] = Field(description="Lark, or Feishu.")
    url: UrlSource = Field(description="The robot's URL.")
    sign: SecretSource | None = Field(default=None, description="Its signing secret.")


class MailSender(Part):
    """Whom mails are from, and the server that takes them."""

    address: Text = Field(description="The sender's address.")
    alias: Text | None = Field(default=None, description="The sender's name.")
    username: Text | None = Field(
        default=None, description="The login, where it is not the address."
    )
    password: SecretSource | None = Field(default=None, description="The password.")
    host: Text = Field(description="The SMTP server.")
    port: Port = Field(default=587, description="Its port.")
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="Kind of encryption."
    )


class EmailChannel(Part):
    """Mails to fixed people."""

    type: Literal["email"] = Field(description="Mail.")
    from_: MailSender = Field(alias="from", description="The sender.")
    to: tuple[Text, ...] = Field(min_length=1, description="The receivers.")


class AppriseChannel(Part):
    """Any service that Apprise knows."""

    type: Literal["apprise"] = Field(description="A service that Apprise knows.")
    url: SecretSource = Field(
        description="Apprise's URL of the service: a secret, whose `hosts` name those"
        " that the service is reached at."
    )


class WebhookChannel(Part):
    """Events as JSON."""

    type: Literal["webhook"] = Field(description="HTTP.")
    url: UrlSource = Field(description="Where they are posted.")
    headers: dict[str, str | SecretSource] = Field(
        default_factory=dict, description="Text, or {secretRef: {name, key}}."
    )


Channel = Annotated[
    SlackChannel
    | DingdingChannel
    | LarkChannel
    | EmailChannel
    | AppriseChannel
    | WebhookChannel,
    Field(discriminator="type"),
]


class NotifyAllPart(Part):
    """Events of every environment and repository that go to a channel."""

    channel: Name = Field(description="A channel under `channels`.")
    on: tuple[
        EventKind
        | Literal[
            "repositoryFailed", "repositoryRecovered", "historyRewritten", "clonedAnew"
        ],
        ...,
    ] = Field(min_length=1, description="Which events; see channels.md.")

    def to_core(self) -> Subscription:
        """The core's value."""
        return Subscription(channel=self.channel, events=self.on)


_REMINDERS = Reminders()


class RemindersPart(Part):
    """How those who may approve are told again, by the event `reminder`."""

    interval: Annotated[Span, spans(timedelta(0), timedelta(days=30))] = Field(
        default=_REMINDERS.interval,
        description="After how long a wait, and then how often; 0s: never.",
    )
    most: PositiveCount = Field(
        default=_REMINDERS.most, description="How often at most, for one wait."
    )


class NotificationsPart(Part):
    """Channels, and which events go to them for every environment."""

    channels: dict[Name, Channel] = Field(
        default_factory=dict, description="Channels by name."
    )
    notify: tuple[NotifyAllPart, ...] = Field(
        default=(), description="Events of every environment, and where they go."
    )
    window: Annotated[Span, spans(timedelta(0), timedelta(minutes=5))] = Field(
        default=WINDOW,
        description="How long what one commit causes is gathered into one message for"
        " people; a message waits at most three times that. 0s: each event is a message"
        " of its own, at once.",
    )
    reminders: RemindersPart = Field(
        default=RemindersPart(), description="While an approval is missing."
    )


_KEPT = Retention()


class RetentionPart(Part):
    """How much of the past is kept."""

    revisions: PositiveCount = Field(
        default=_KEPT.revisions,
        description="The newest revisions that are kept of each environment, with their"
        " decisions; a rollback can go back to any of them.",
    )
    runs: PositiveCount = Field(
        default=_KEPT.runs,
        description="The newest runs that are kept of each environment, with their"
        " steps and messages.",
    )
    events: PositiveCount = Field(
        default=_KEPT.events,
        description="The newest events that are kept of each environment.",
    )
    messages: PositiveSpan = Field(
        default=_KEPT.messages,
        description="How long messages are kept that were sent or given up.",
    )
    removed: PositiveSpan = Field(
        default=_KEPT.removed,
        description="How long environments are kept whose folder is gone, and"
        " repositories that left this file, with their clones.",
    )
    interval: PositiveSpan = Field(
        default=_KEPT.interval,
        description="Time between two looks for what is too much.",
    )


_LIMITS = RenderLimits()
_PLACES = Concurrency()
_LEAST_SPAN = timedelta(seconds=1)
_LEAST_OUTPUT = Size(64 << 10)
_LEAST_MEMORY = Size(64 << 20)
"""Less holds none of the tools themselves."""


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


class RenderersPart(Part):
    """What rendering one environment may cost: with Helm, kustomize or SOPS."""

    timeout: Annotated[Span, spans(_LEAST_SPAN, timedelta(hours=1))] = Field(
        default=_LIMITS.timeout, description="Its time in all."
    )
    cpu: Annotated[Span, spans(_LEAST_SPAN, timedelta(hours=1))] = Field(
        default=_LIMITS.cpu, description="Its processor time, in whole seconds."
    )
    memory: Annotated[Bytes, sizes(_LEAST_MEMORY, Size(64 << 30))] = Field(
        default=_LIMITS.memory, description="Its memory, from 64Mi to 64Gi."
    )
    output: Annotated[Bytes, sizes(_LEAST_OUTPUT, Size(64 << 20))] = Field(
        default=_LIMITS.output,
        description="What it may write, from 64Ki to 64Mi; of one file 8Mi are read.",
    )


class ConcurrencyPart(Part):
    """How much is carried out at the same time."""

    at_once: Places = Field(
        default=_PLACES.at_once,
        description="Attempts and looks of steps with a target; as many of all else.",
    )
    per_target: Places = Field(
        default=_PLACES.per_target,
        description="How many of them one target may have, so that one which hangs"
        " leaves the others room.",
    )


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
