"""What a subscriber is told about an event, with the command that would act.

Read at three in the morning on a telephone: the first line says what and where, the
second whose change it is, then why, then what to type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import EnvironmentId, environment_name
from gitops_wf.core.message import Message
from gitops_wf.core.notifications.channels import message_to_channel
from gitops_wf.core.revision import Revision

_SHORT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class EventText:
    """A subject line and a text of a few short lines."""

    subject: str
    text: str


def event_text(event: Event, revision: Revision | None) -> EventText:
    """Return the message about an event; ``revision`` is the one it is about."""
    where = _where(event, revision)
    subject = f"{where} {_headline(event, revision)}"
    lines = [_change(revision)] if revision else []
    if event.message:
        lines.append(cut(event.message))
    command = _command(event, revision)
    if command:
        lines += ["", *command]
    return EventText(subject=cut(subject), text="\n".join(lines))


def event_message(
    event: Event,
    revision: Revision | None,
    *,
    name: str,
    channel: Mapping[str, Any],
) -> Message:
    """Return the message about an event to a channel of the daemon config.

    A webhook gets the event's own fields beside subject and text. Errors:
    TerminalError (ChannelNotConfigured) where the channel has no type that is known.
    """
    text = event_text(event, revision)
    return message_to_channel(
        {name: channel},
        name,
        subject=text.subject,
        text=text.text,
        item=f"{event.kind}/{name}",
        data={
            "event": {
                "kind": event.kind,
                "type": str(event.type),
                "reason": event.reason,
                "at": event.at.isoformat(),
                "environment": event.environment,
                "repository": event.repository,
                "revision": event.revision,
                "commit": revision.commit if revision else None,
                "run": event.run,
                "step": event.step,
                "target": event.metadata.get("target"),
            }
        },
    )


def _where(event: Event, revision: Revision | None) -> str:
    if revision is not None:
        return f"{_name(revision.environment)}#{revision.number}"
    if event.environment is not None:
        number = "" if event.revision is None else f"#{event.revision}"
        return _name(event.environment) + number
    return event.repository or "daemon"


def _name(environment: EnvironmentId) -> str:
    return environment_name(environment) or environment


def _headline(event: Event, revision: Revision | None) -> str:
    at = f" at {event.step}" if event.step else ""
    target = event.metadata.get("target")
    on = f" on {cut(str(target), 64)}" if target else ""
    match event.kind:
        case "suspended":
            return f"waits for approval{at}"
        case "approved":
            return f"approved{at}"
        case "rejected":
            return f"rejected{at}"
        case "failed":
            return f"FAILED{at}" + (f" ({event.reason})" if event.reason else "")
        case "succeeded":
            return "succeeded"
        case "rolledBack":
            back_to = revision.rollback_of if revision else None
            return "rolled back" + (f" to #{back_to}" if back_to is not None else "")
        case "reverted":
            return "was reverted"
        case "notReverted":
            return "was NOT reverted"
        case "superseded":
            return "superseded by a newer revision"
        case "invalid":
            return "INVALID: nothing was deployed"
        case "drift" if event.reason == "HealFought":
            return f"is fought over{on}"
        case "drift" if event.reason == "HealFailed":
            return f"cannot be healed{on}"
        case "drift":
            return f"differs from Git{on}"
        case "healed":
            return f"is as Git says again{on}"
        case "renewed":
            return f"has a renewed copy of a Secret{on}"
        case "degraded":
            return f"degraded{on}"
        case "recovered":
            return f"recovered{on}"
        case _:
            return event.kind + at + (f" ({event.reason})" if event.reason else "")


def _change(revision: Revision) -> str:
    by = f", {cut(revision.author, 64)}" if revision.author else ""
    return f"{revision.commit[:_SHORT]} {cut(revision.subject, 100)}{by}"


def _command(event: Event, revision: Revision | None) -> list[str]:
    """Return the lines that say what to type; quoted where a shell needs it."""
    if revision is None:
        return []
    environment = _quoted(_name(revision.environment))
    of_revision = f"{environment} --revision {revision.commit[:_SHORT]}"
    step = f" --step {_quoted(event.step)}" if event.step else ""
    match event.kind:
        case "suspended":
            return [
                f"approve: gitops-wf approve {of_revision}{step} --push",
                f"reject:  gitops-wf reject {of_revision}{step} --push",
            ]
        case "failed":
            return [
                f"look:      gitops-wf describe {environment}",
                f"try again: gitops-wf retry {of_revision} --push",
                f"go back:   gitops-wf rollback {environment} --push",
            ]
        case "invalid":
            return ["mend the file and push, or: git revert " + revision.commit[:12]]
        case "drift" if event.reason != "Drifted":
            return [f"look: gitops-wf describe {environment}"]
        case "drift":
            return [
                f"look:     gitops-wf describe {environment}",
                f"put back: gitops-wf redeploy {of_revision} --push",
                "or keep it: commit it to Git, or name it in drift.ignore",
            ]
        case "degraded":
            return [
                f"look:    gitops-wf describe {environment}",
                f"go back: gitops-wf rollback {environment} --push",
            ]
        case "reverted":
            return [f"look: gitops-wf describe {environment}"]
        case "notReverted" | "rejected":
            return [f"go back: gitops-wf rollback {environment} --push"]
        case _:
            return []


def _quoted(text: str) -> str:
    """Return a shell word; a name with odd characters is quoted, cut and one line."""
    word = cut(text, 128)
    if word and all(char.isalnum() or char in "-_./" for char in word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"
