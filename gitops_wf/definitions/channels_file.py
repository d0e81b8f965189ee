"""The shape of `notifications` in the daemon config."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from gitops_wf.core.config import WINDOW
from gitops_wf.core.environment import Subscription
from gitops_wf.core.reminding import Reminders
from gitops_wf.definitions.environment_file import EventKind
from gitops_wf.definitions.fields import (
    Name,
    Part,
    Port,
    PositiveCount,
    Span,
    Text,
    spans,
)
from gitops_wf.ports.properties import SecretSource, UrlSource


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
    """Events of every environment, repository and target that go to a channel."""

    channel: Name = Field(description="A channel under `channels`.")
    on: tuple[
        Literal[
            EventKind,
            "repositoryFailed",
            "repositoryRecovered",
            "historyRewritten",
            "clonedAnew",
            "targetUnreachable",
            "targetRecovered",
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
