"""Channels: how a message to one is put, whosever text it is.

A channel is a mapping with ``type`` and what that type needs; URLs are
``{value: …}`` or ``{secretRef: {name, key}}``::

    {type: slack,    url: URL}
    {type: dingding, url: URL, sign: {secretRef: {name, key}}, at: {…}}
    {type: lark,     url: URL, sign: {secretRef: {name, key}}}
    {type: email,    from: {address, alias, host, port, tls, username,
                     password: {secretRef: …}}, to: [address, …]}
    {type: apprise,  url: {secretRef: {name, key}}}
    {type: webhook,  url: URL, headers: {name: text or {secretRef: …}}}

A channel of the daemon config is sent to as ``{name: …}``, and looked up when it is
sent, so that its secrets are the daemon's own and a mended channel mends what waits.
"""

from collections.abc import Mapping
from typing import Any

from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.message import Message
from gitops_wf.core.notifications import dingtalk, lark, slack

KINDS = ("apprise", "dingding", "email", "lark", "slack", "webhook")


def message_to_channel(
    channels: Mapping[str, Mapping[str, Any]],
    name: str,
    *,
    subject: str,
    text: str,
    data: Mapping[str, Any] | None = None,
    item: str | None = None,
) -> Message:
    """Return the message to a channel of the daemon config.

    ``data`` goes along to webhooks. Errors: TerminalError (ChannelNotConfigured)
    that names those there are.
    """
    if name not in channels:
        there = ", ".join(sorted(channels)) or "none"
        raise TerminalError(
            f"channel {cut(name, 64)} is not configured; there are: {there}",
            reason="ChannelNotConfigured",
        )
    channel = channels[name]
    return Message(
        item=item or f"channel/{name}",
        kind=str(channel.get("type", "")),
        channel={"name": name},
        payload=_compose(name, channel, subject=subject, text=text, data=data or {}),
    )


def _compose(
    name: str,
    channel: Mapping[str, Any],
    *,
    subject: str,
    text: str,
    data: Mapping[str, Any],
) -> Mapping[str, Any]:
    kind = str(channel.get("type", ""))
    match kind:
        case "slack":
            return slack.compose(subject, text)
        case "dingding":
            payload = dingtalk.compose(subject, text)
            return {**payload, "at": channel["at"]} if "at" in channel else payload
        case "lark":
            return lark.compose(subject, text)
        case "apprise":
            return {"title": cut(subject), "body": text}
        case "email":
            return {"subject": cut(subject), "body": text}
        case "webhook":
            return {"subject": subject, "text": text, **data}
        case _:
            raise TerminalError(
                f"channel {cut(name, 64)} has type {cut(kind, 32)!r}; write one of "
                + ", ".join(KINDS),
                reason="ChannelNotConfigured",
            )
