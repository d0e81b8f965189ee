"""Sends one outbox row's message, once, and says how it went."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import formataddr
from hashlib import sha256
from typing import Any, Protocol

from gitops_wf.core.backoff import backoff
from gitops_wf.core.durations import format_duration
from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.message import Delivery, Message
from gitops_wf.core.notifications import dingtalk, lark, slack
from gitops_wf.core.notifications.channels import KINDS
from gitops_wf.core.notifications.verdict import (
    Answer,
    Posted,
    Refused,
    RetryIn,
    Sent,
    Verdict,
    as_json,
    judge_http,
)
from gitops_wf.core.pacing import receiver_of
from gitops_wf.core.redaction import redact
from gitops_wf.core.secret import Secret
from gitops_wf.delivery.granted import Destination, GrantedSecrets
from gitops_wf.ports.outbound import (
    HttpRequest,
    Mail,
    Mailer,
    MailServer,
    Outbound,
    Relay,
)
from gitops_wf.ports.secrets import Secrets

MAX_TRIES = 8
MAX_AGE = timedelta(hours=1)
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=10)


class _Chat(Protocol):
    """A chat platform: what is posted to it, and what it answers."""

    def posted(
        self, payload: Mapping[str, Any], sign: Secret | None, now: datetime, /
    ) -> Posted:
        """Return what is posted, signed where the robot's secret is given."""

    def judge(self, answer: Answer, now: datetime, /) -> Verdict:
        """Say what the platform's answer means."""


_CHATS: Mapping[str, _Chat] = {"slack": slack, "dingding": dingtalk, "lark": lark}


class ChannelSender:
    """Sends messages to Slack, DingTalk, Lark, mail servers, webhooks, and by Apprise.

    ``channels`` are those of the daemon config, by name; their secrets are the
    daemon's own, while a channel that stands in a workflow uses its environment's.
    """

    def __init__(
        self,
        *,
        outbound: Outbound,
        mailer: Mailer,
        relay: Relay,
        secrets: Secrets,
        channels: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._outbound = outbound
        self._mailer = mailer
        self._relay = relay
        self._secrets = secrets
        self._channels = channels

    def receiver(self, message: Message) -> str:
        """Return which receiver it goes to: channels to one share its limit."""
        name = message.channel.get("name")
        channel = self._channels.get(str(name), {}) if name else message.channel
        return receiver_of(message.kind, channel or message.channel)

    def send(self, delivery: Delivery, now: datetime) -> Verdict:
        """Send it and judge the answer; nothing is raised for what may happen.

        ``delivery.tries`` counts this try. After ``MAX_TRIES``, or where the next try
        would come later than ``MAX_AGE`` after it could first be sent, RetryIn turns
        Refused; but never for a receiver's limit. RetryIn always carries the wait.
        """
        try:
            verdict = self._sent(delivery, now)
        except TransientError as exc:
            verdict = RetryIn(after=exc.retry_after, detail=exc.message)
        except TerminalError as exc:
            verdict = Refused(detail=exc.message)
        if isinstance(verdict, RetryIn):
            return _within_limits(verdict, delivery, now)
        return verdict

    def _sent(self, delivery: Delivery, now: datetime) -> Verdict:
        message = delivery.message
        name = message.channel.get("name")
        if not name and delivery.environment is None:
            # The secrets of None are the daemon's own.
            raise TerminalError(
                "a message to a channel of no config belongs to an environment",
                reason="SecretNotGranted",
            )
        granted = GrantedSecrets(
            secrets=self._secrets,
            environment=None if name else delivery.environment,
        )
        channel = self._configured(message, str(name)) if name else message.channel
        match message.kind:
            case kind if kind in _CHATS:
                return self._chat(channel, message, granted, now)
            case "apprise":
                return self._apprise(channel, message.payload, granted)
            case "webhook":
                return self._webhook(channel, delivery, granted, now)
            case "email":
                return self._email(channel, delivery, granted)
            case kind:
                raise TerminalError(
                    f"no channel is of type {cut(kind, 32)!r}; there are "
                    + ", ".join(KINDS),
                    reason="ChannelNotConfigured",
                )

    def _configured(self, message: Message, name: str) -> Mapping[str, Any]:
        channel = self._channels.get(name)
        if channel is None or channel.get("type") != message.kind:
            raise TerminalError(
                f"channel {cut(name, 64)} of type {message.kind} is no longer in the "
                "daemon config",
                reason="ChannelNotConfigured",
            )
        return channel

    def _chat(
        self,
        channel: Mapping[str, Any],
        message: Message,
        granted: GrantedSecrets,
        now: datetime,
    ) -> Verdict:
        chat = _CHATS[message.kind]
        where = granted.destination(_part(channel, "url"))
        sign = None
        if channel.get("sign"):
            sign = granted.value(_part(channel, "sign"), host=where.host)
            where = replace(where, secrets=(*where.secrets, sign))
        posted = chat.posted(message.payload, sign, now)
        if posted.query:
            where = _signed(where, posted.query)
        return chat.judge(self._posted(where, posted.body), now)

    def _apprise(
        self,
        channel: Mapping[str, Any],
        payload: Mapping[str, Any],
        granted: GrantedSecrets,
    ) -> Verdict:
        url, check = granted.anywhere(_part(channel, "url"))
        return self._relay.send(
            url,
            str(payload.get("title", "")),
            str(payload.get("body", "")),
            check=check,
        )

    def _webhook(
        self,
        channel: Mapping[str, Any],
        delivery: Delivery,
        granted: GrantedSecrets,
        now: datetime,
    ) -> Verdict:
        where = granted.destination(_part(channel, "url"))
        headers: dict[str, str | Secret] = {"Idempotency-Key": delivery.key}
        for name, value in dict(channel.get("headers") or {}).items():
            headers[name] = (
                granted.value(value, host=where.host)
                if isinstance(value, Mapping)
                else str(value)
            )
        body = as_json(delivery.message.payload)
        return judge_http(self._posted(where, body, headers), now)

    def _posted(
        self,
        where: Destination,
        body: bytes,
        headers: Mapping[str, str | Secret] | None = None,
    ) -> Answer:
        """Post JSON; the answer comes back with every secret taken out."""
        all_headers: dict[str, str | Secret] = {"Content-Type": "application/json"}
        all_headers |= headers or {}
        response = self._outbound.send(
            HttpRequest(method="POST", url=where.url, headers=all_headers, body=body)
        )
        secrets = [v for v in all_headers.values() if isinstance(v, Secret)]
        return Answer(
            status=response.status,
            headers=response.headers,
            text=redact(
                response.body.decode("utf-8", "replace"), (*where.secrets, *secrets)
            ),
        )

    def _email(
        self,
        channel: Mapping[str, Any],
        delivery: Delivery,
        granted: GrantedSecrets,
    ) -> Verdict:
        sender = _part(channel, "from")
        address, host = str(sender.get("address", "")), str(sender.get("host", ""))
        password = None
        if sender.get("password"):
            password = granted.value(_part(sender, "password"), host=host)
        payload = delivery.message.payload
        mail = Mail(
            sender=formataddr((str(sender.get("alias") or ""), address)),
            to=[str(entry) for entry in channel.get("to") or ()],
            subject=str(payload.get("subject", "")),
            text=str(payload.get("body", "")),
            html=str(payload.get("html") or ""),
            message_id=_message_id(delivery.key, address),
        )
        server = MailServer(
            host=host,
            port=_port(sender.get("port", 587)),
            tls=str(sender.get("tls") or "starttls"),
            username=str(sender.get("username") or address),
            password=password,
        )
        try:
            answer = self._mailer.send(mail, server)
        except (TransientError, TerminalError) as exc:
            if password is not None:
                exc.message = redact(exc.message, (password,))
            raise
        return Sent(detail=cut(answer))


def _signed(where: Destination, query: str) -> Destination:
    """Return an address with what signs it."""
    plain = where.url.reveal() if isinstance(where.url, Secret) else where.url
    url = Secret(f"{plain}{'&' if '?' in plain else '?'}{query}")
    return replace(where, url=url, secrets=(*where.secrets, url))


def _part(channel: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a mapping within a channel; a URL may stand there as plain text."""
    value = channel.get(key)
    if isinstance(value, str) and value:
        return {"value": value}
    if not isinstance(value, Mapping):
        raise TerminalError(f"the channel lacks {key}", reason="ChannelNotConfigured")
    return value


def _port(value: object) -> int:
    if isinstance(value, int) and 0 < value < 65536:
        return value
    raise TerminalError(
        f"port {cut(str(value), 32)!r} is no number from 1 to 65535",
        reason="ChannelNotConfigured",
    )


def _message_id(key: str, address: str) -> str:
    """Return the same id for each try, so that mail programs see one mail."""
    domain = address.rpartition("@")[2] or "gitops-wf.invalid"
    return f"<{sha256(key.encode()).hexdigest()[:32]}@{domain}>"


def _within_limits(verdict: RetryIn, delivery: Delivery, now: datetime) -> Verdict:
    tries = delivery.tries if verdict.is_limit else delivery.spent
    wait = backoff(max(tries, 1), first=FIRST_WAIT, longest=LONGEST_WAIT, factor=3)
    if verdict.is_limit:
        # Its own word counts, not how often it was asked.
        asked = verdict.after
        return replace(verdict, after=wait if asked is None else max(asked, FIRST_WAIT))
    if verdict.after is not None:
        wait = max(wait, verdict.after)
    if delivery.spent >= MAX_TRIES:
        return Refused(detail=f"{verdict.detail}; gave up after {MAX_TRIES} tries")
    if now + wait - (delivery.since or delivery.created) > MAX_AGE:
        return Refused(
            detail=f"{verdict.detail}; gave up, {format_duration(MAX_AGE)} after it "
            "was to be sent"
        )
    return replace(verdict, after=wait)
