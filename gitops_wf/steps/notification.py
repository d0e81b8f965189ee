"""notification: tells people, by any channels at once, and waits for each's answer."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, field_validator, model_validator

from gitops_wf.core.message import Delivery, DeliveryPhase, Message
from gitops_wf.core.notifications.channels import message_to_channel
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned
from gitops_wf.ports.properties import Properties, SecretSource, UrlSource
from gitops_wf.ports.runner import Capabilities, StepContext, StepResult, StepType

JsonObject = dict[str, Any]
_LOOK_AGAIN = timedelta(seconds=2)
_LATER = timedelta(seconds=15)
"""Once a minute has passed: what waits then waits for a back-off, or a limit."""


class SlackMessage(Properties):
    """Slack's own format, posted as it stands."""

    text: str = Field(description="The text, and the fallback of blocks.")
    blocks: list[JsonObject] | None = Field(
        default=None, description="Block Kit blocks."
    )
    attachments: list[JsonObject] | None = Field(
        default=None, description="Attachments, a list as Slack's API has it."
    )
    thread_ts: str | None = Field(
        default=None, alias="thread_ts", description="Answers in this thread."
    )
    mrkdwn: bool | None = Field(
        default=None, description="Whether Slack's markup is rendered."
    )


class Slack(Properties):
    """A Slack incoming webhook, or one that speaks as it does."""

    url: UrlSource = Field(description="The webhook's URL: a secret.")
    message: SlackMessage = Field(description="What to post.")


class DingText(Properties):
    """A plain text."""

    content: str = Field(description="The text.")


class DingLink(Properties):
    """A card with one link."""

    title: str = Field(description="The card's title.")
    text: str = Field(description="The card's text.")
    message_url: str = Field(description="Where it leads.")
    pic_url: str | None = Field(default=None, description="A picture's URL.")


class DingMarkdown(Properties):
    """A text in DingTalk's markdown."""

    title: str = Field(description="Shown in the list of chats.")
    text: str = Field(description="The text.")


class DingButton(Properties):
    """A button of an action card."""

    title: str = Field(description="The button's text.")
    action_url: str = Field(alias="actionURL", description="Where it leads.")


class DingActionCard(Properties):
    """A card with one button, or several."""

    title: str = Field(description="Shown in the list of chats.")
    text: str = Field(description="The text, in markdown.")
    hide_avatar: str | None = Field(default=None, description="'1' hides the avatar.")
    btn_orientation: str | None = Field(
        default=None, description="'1' puts the buttons side by side."
    )
    single_title: str | None = Field(default=None, description="The one button's text.")
    single_url: str | None = Field(
        default=None, alias="singleURL", description="Where it leads."
    )
    btns: list[DingButton] | None = Field(default=None, description="Several buttons.")


class DingFeedLink(Properties):
    """An entry of a feed card."""

    title: str = Field(description="The entry's title.")
    message_url: str = Field(alias="messageURL", description="Where it leads.")
    pic_url: str = Field(alias="picURL", description="A picture's URL.")


class DingFeedCard(Properties):
    """A list of links."""

    links: list[DingFeedLink] = Field(description="The entries.")


class DingAt(Properties):
    """Who is called by the message."""

    at_mobiles: list[str] | None = Field(default=None, description="By telephone.")
    at_user_ids: list[str] | None = Field(default=None, description="By user id.")
    is_at_all: bool | None = Field(default=None, description="Everybody.")


class DingMessage(Properties):
    """DingTalk's own format: ``msgtype``, and the part of that name."""

    msgtype: Literal["text", "link", "markdown", "actionCard", "feedCard"] = Field(
        default="text", description="Which of the parts is sent."
    )
    text: DingText | None = Field(default=None, description="For msgtype text.")
    link: DingLink | None = Field(default=None, description="For msgtype link.")
    markdown: DingMarkdown | None = Field(
        default=None, description="For msgtype markdown."
    )
    action_card: DingActionCard | None = Field(
        default=None, description="For msgtype actionCard."
    )
    feed_card: DingFeedCard | None = Field(
        default=None, description="For msgtype feedCard."
    )
    at: DingAt | None = Field(default=None, description="Who is called.")

    @model_validator(mode="after")
    def _has_its_part(self) -> Self:
        there = self.model_dump(by_alias=True, exclude_none=True)
        if self.msgtype not in there:
            raise ValueError(
                f"msgtype is {self.msgtype}, but there is no {self.msgtype}: to send"
            )
        return self


class Dingding(Properties):
    """A custom robot of a DingTalk group."""

    url: UrlSource = Field(description="The robot's URL: a secret.")
    sign: SecretSource | None = Field(
        default=None, description="The robot's signing secret (SEC…), if it has one."
    )
    message: DingMessage = Field(description="What to post.")


class LarkMessage(Properties):
    """Lark's own format: ``msg_type``, and the content that belongs to it."""

    msg_type: Literal["text", "post", "image", "share_chat", "interactive"] = Field(
        default="text",
        alias="msg_type",
        description="Kind of message; what the content holds follows from it.",
    )
    content: JsonObject | None = Field(
        default=None,
        description="A map, as {text: done}; text with JSON of a map, as KubeVela has"
        " it, is taken, too.",
    )
    card: JsonObject | None = Field(
        default=None, description="In place of content for msg_type interactive."
    )

    @field_validator("content", "card", mode="before")
    @classmethod
    def _parsed(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise ValueError(  # noqa: TRY004  pydantic reports ValueError as the user's
                "write a map, such as {text: done}; text must be JSON of such a map"
            )
        return parsed

    @model_validator(mode="after")
    def _has_its_part(self) -> Self:
        part, other = ("content", "card")
        if self.msg_type == "interactive":
            part, other = other, part
        if getattr(self, part) is None or getattr(self, other) is not None:
            raise ValueError(
                f"msg_type {self.msg_type} has {part}: and no {other}: to send"
            )
        return self


class Lark(Properties):
    """A custom robot of a Lark or Feishu group."""

    url: UrlSource = Field(description="The robot's URL: a secret.")
    sign: SecretSource | None = Field(
        default=None, description="The robot's signing secret, if it has one."
    )
    message: LarkMessage = Field(description="What to post.")


class AppriseMessage(Properties):
    """Plain text, which Apprise puts into the service's own format."""

    title: str = Field(default="", description="The first line, where there is one.")
    body: Annotated[str, Field(min_length=1)] = Field(description="The text.")


class Apprise(Properties):
    """Any service that Apprise knows."""

    url: SecretSource = Field(
        description="Apprise's URL of the service: a secret, whose `hosts` name those"
        " that the service is reached at."
    )
    message: AppriseMessage = Field(description="What to say.")


class EmailSender(Properties):
    """Whom a mail is from, and the server that takes it."""

    address: str = Field(description="The sender's address, and the login.")
    alias: str | None = Field(default=None, description="The sender's name.")
    username: str | None = Field(
        default=None, description="The login, where it is not the address."
    )
    password: SecretSource | None = Field(
        default=None, description="The login's password; without it, no login."
    )
    host: str = Field(description="The SMTP server.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=587, description="Its port."
    )
    tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="starttls (587), tls from the first byte (465), or none.",
    )


class EmailContent(Properties):
    """What a mail says; where both are there, the reader's program chooses."""

    subject: str = Field(description="One line.")
    body: str = Field(default="", description="As plain text.")
    html: str | None = Field(default=None, description="As HTML.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.body and not self.html:
            raise ValueError("write body (plain text), html, or both")
        return self


class Email(Properties):
    """A mail by SMTP."""

    sender: EmailSender = Field(alias="from", description="From whom, and by whom.")
    to: Annotated[list[str], Field(min_length=1)] = Field(description="The addresses.")
    content: EmailContent = Field(description="What it says.")


class NotificationProperties(Properties):
    """What a notification step takes: any of its channels, all at once."""

    channels: tuple[str, ...] = Field(
        default=(), description="Channels of the daemon config, by name."
    )
    text: str = Field(default="", description="What to say to `channels`.")
    subject: str = Field(
        default="", description="The first line, and a mail's subject; has a default."
    )
    slack: Slack | None = Field(default=None, description="Slack.")
    dingding: Dingding | None = Field(default=None, description="DingTalk.")
    lark: Lark | None = Field(default=None, description="Lark, or Feishu.")
    email: Email | None = Field(default=None, description="Mail.")
    apprise: Apprise | None = Field(
        default=None, description="Any other service, by Apprise."
    )
    on_failure: Literal["fail", "ignore"] = Field(
        default="fail", description="Whether a channel that fails fails the step."
    )

    @model_validator(mode="after")
    def _tells_somebody(self) -> Self:
        parts = (self.slack, self.dingding, self.lark, self.email, self.apprise)
        if not self.channels and all(part is None for part in parts):
            raise ValueError(
                "nobody is told; write one or more of apprise, channels, dingding,"
                " email, lark, slack"
            )
        if self.channels and not self.text:
            raise ValueError("channels need a text")
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("a channel stands in channels twice")
        return self


class NotificationRunner:
    """Hands one message a channel to the outbox, and looks how each went.

    Each message is a row and a retry of its own, so a channel that fails never sends
    another's again, and a repeated attempt finds the rows of the first.
    """

    def __init__(self, channels: Mapping[str, Mapping[str, Any]]) -> None:
        self._channels = channels

    def attempt(self, context: StepContext) -> StepResult:
        """Ask for the messages; TerminalError where a channel is not configured."""
        properties = cast("NotificationProperties", context.properties)
        messages = _messages(properties, context, self._channels)
        return StepResult(
            phase=Phase.RUNNING,
            message=f"sending {len(messages)} message(s)",
            retry_after=_LOOK_AGAIN,
            messages=messages,
        )

    def plan(self, context: StepContext) -> Planned:
        """Return who would be told; TerminalError as `attempt`."""
        properties = cast("NotificationProperties", context.properties)
        messages = _messages(properties, context, self._channels)
        told = [
            f"{m.item.replace('/', ' ')} ({m.kind})" if m.item != m.kind else m.item
            for m in messages
        ]
        return Planned(effects=(f"tells {', '.join(told)}",))

    def look(self, context: StepContext) -> StepResult:
        """See how the messages went."""
        properties = cast("NotificationProperties", context.properties)
        deliveries = context.deliveries
        asked = {m.item for m in _messages(properties, context, self._channels)}
        lost = asked - {each.message.item for each in deliveries}
        if lost:  # never a success without a record of each
            return StepResult(
                phase=Phase.ERRORED,
                message=f"no record of {', '.join(sorted(lost))} in the outbox",
            )
        waiting = [each for each in deliveries if each.phase is DeliveryPhase.PENDING]
        if waiting:
            is_young = context.now - context.started < timedelta(minutes=1)
            return StepResult(
                phase=Phase.RUNNING,
                message="; ".join(map(_line, waiting)),
                retry_after=_LOOK_AGAIN if is_young else _LATER,
            )
        failed = [each for each in deliveries if each.phase is DeliveryPhase.FAILED]
        sent = len(deliveries) - len(failed)
        outputs = {
            "deliveries": {
                each.message.item: {"phase": str(each.phase), "detail": each.detail}
                for each in deliveries
            }
        }
        message = f"{sent} of {len(deliveries)} sent"
        if failed:
            message += "; " + "; ".join(map(_line, failed))
        if failed and properties.on_failure == "fail":
            return StepResult(
                phase=Phase.FAILED,
                reason="NotificationFailed",
                message=message,
                outputs=outputs,
                is_final=True,  # each channel was tried as often as it may be
            )
        return StepResult(phase=Phase.SUCCEEDED, message=message, outputs=outputs)


def _line(delivery: Delivery) -> str:
    detail = delivery.detail or "being sent"
    return f"{delivery.message.item}: {detail}"


def _messages(
    properties: NotificationProperties,
    context: StepContext,
    channels: Mapping[str, Mapping[str, Any]],
) -> tuple[Message, ...]:
    about = context.subject
    subject = properties.subject or f"{about.environment}#{about.number}"
    messages = [
        message_to_channel(channels, name, subject=subject, text=properties.text)
        for name in properties.channels
    ]
    for kind in ("slack", "dingding", "lark", "apprise"):
        part: Slack | Dingding | Lark | Apprise | None = getattr(properties, kind)
        if part is not None:
            channel = part.model_dump(by_alias=True, exclude_none=True)
            payload = channel.pop("message")
            messages.append(
                Message(item=kind, kind=kind, channel=channel, payload=payload)
            )
    if properties.email is not None:
        channel = properties.email.model_dump(by_alias=True, exclude_none=True)
        payload = channel.pop("content")
        messages.append(
            Message(item="email", kind="email", channel=channel, payload=payload)
        )
    return tuple(messages)


def _make(capabilities: Capabilities) -> NotificationRunner:
    return NotificationRunner(capabilities.channels)


STEP_TYPE = StepType(
    name="notification",
    properties=NotificationProperties,
    make=_make,
    # Longer than a message may be tried, so that the channel's own answer is shown.
    default_timeout=timedelta(minutes=70),
    output_roots=("deliveries",),
    only_tells=True,
    summary="tell people by Slack, DingTalk, Lark, mail, Apprise or channels",
)
