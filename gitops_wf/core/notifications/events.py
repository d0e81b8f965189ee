"""What a subscriber is told about an event, with the command that would act.

Read at three in the morning on a telephone: the first line says what and where, the
second whose change it is, with a link to it, then why, then what to type.
"""

from collections.abc import Mapping
from typing import Any

from gitops_wf.core.errors import cut
from gitops_wf.core.event import Event
from gitops_wf.core.identifiers import EnvironmentId, environment_name
from gitops_wf.core.notifications.notices import ANY, Note, Weight
from gitops_wf.core.phases import Reason
from gitops_wf.core.revision import Revision

_SHORT = 8

_BAD = frozenset(
    {
        "failed",
        "errored",
        "stepFailed",
        "degraded",
        "drift",
        "decisionRefused",
        "approvalsUnreadable",
        "inventoryUnread",
        "repositoryFailed",
        "targetUnreachable",
        "historyRewritten",
        "notReverted",
    }
)
_WAITS = frozenset({"suspended", "reminder", "frozen", "paused"})


def event_note(event: Event, revision: Revision | None, *, link: str = "") -> Note:
    """Return what is said about an event.

    ``revision`` is the one it is about, and ``link`` leads to its commit.
    """
    headline = _headline(event, revision)
    whose = revision.environment if revision else event.environment
    return Note(
        place=_where(event, revision),
        headline=headline,
        sums=_sums(event),
        weight=_weight(event),
        about=_change(revision) if revision else "",
        link=link if revision else "",
        message=cut(event.message),
        needs=cut(str(event.metadata.get("needs") or "")),
        environment=_quoted(_name(whose)) if whose else "",
        commands=tuple(_commands(event, revision)),
    )


def event_data(event: Event, revision: Revision | None, link: str) -> Mapping[str, Any]:
    """Return the event's own fields, as a webhook gets them."""
    return {
        "kind": event.kind,
        "type": str(event.type),
        "reason": event.reason,
        "message": event.message,
        "at": event.at.isoformat(),
        "environment": event.environment,
        "repository": event.repository,
        "revision": event.revision,
        "commit": revision.commit if revision else None,
        "link": (link if revision else "") or None,
        "run": event.run,
        "step": event.step,
        "target": event.metadata.get("target"),
    }


def _weight(event: Event) -> Weight:
    if event.kind in _BAD:
        return Weight.BAD
    return Weight.WAITS if event.kind in _WAITS else Weight.NEWS


def _sums(event: Event) -> str:
    """Return the headline without what differs from one environment to the next."""
    match event.kind:
        case "failed" if event.reason == Reason.INVALID_DEFINITION:
            return "INVALID"
        case "failed" | "errored":
            return event.kind.upper()
        case "suspended":
            return "waiting for approval"
        case "reminder":
            return "still waiting for approval"
        case "drift":
            return "different from Git"
        case "rolledBack":
            return "rolled back"
        case _:
            return event.kind


def _where(event: Event, revision: Revision | None) -> str:
    if revision is not None:
        return f"{_name(revision.environment)}#{revision.number}"
    if event.environment is not None:
        number = "" if event.revision is None else f"#{event.revision}"
        return _name(event.environment) + number
    target = event.metadata.get("target")
    return event.repository or (
        f"target {cut(str(target), 64)}" if target else "daemon"
    )


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
        case "reminder":
            return f"still waits for approval{at}"
        case "failed" if event.reason == Reason.INVALID_DEFINITION:
            return "INVALID: nothing was deployed"
        case "failed" | "errored":
            cause = f" ({event.reason})" if event.reason else ""
            return f"{event.kind.upper()}{at}{cause}"
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
        case "targetUnreachable":
            return "does not answer"
        case "targetRecovered":
            return "answers again"
        case _:
            return event.kind + at + (f" ({event.reason})" if event.reason else "")


def _change(revision: Revision) -> str:
    by = f", {cut(revision.author, 64)}" if revision.author else ""
    return f"{revision.commit[:_SHORT]} {cut(revision.subject, 100)}{by}"


def _commands(event: Event, revision: Revision | None) -> list[str]:
    """Return the lines that say what to type; quoted where a shell needs it."""
    if revision is None:
        return _commands_without_revision(event)
    of_revision = f"{ANY} --revision {revision.commit[:_SHORT]}"
    step = f" --step {_quoted(event.step)}" if event.step else ""
    match event.kind:
        case "suspended" | "reminder":
            return [
                f"approve: gitops-wf approve {of_revision}{step} --push",
                f"reject:  gitops-wf reject {of_revision}{step} --push",
            ]
        case "failed" if event.reason == Reason.INVALID_DEFINITION:
            return ["mend the file and push, or: git revert " + revision.commit[:12]]
        case "failed" | "errored":
            return [
                f"look:      gitops-wf describe {ANY}",
                f"try again: gitops-wf retry {of_revision} --push",
                f"go back:   gitops-wf rollback {ANY} --push",
            ]
        case "drift" if event.reason != "Drifted":
            return [f"look: gitops-wf describe {ANY}"]
        case "drift":
            return [
                f"look:     gitops-wf describe {ANY}",
                f"put back: gitops-wf redeploy {of_revision} --push",
                "or keep it: commit it to Git, or name it in drift.ignore",
            ]
        case "degraded":
            return [
                f"look:    gitops-wf describe {ANY}",
                f"go back: gitops-wf rollback {ANY} --push",
            ]
        case "notReverted" | "rejected":
            return [f"go back: gitops-wf rollback {ANY} --push"]
        case "stepFailed" | "frozen" | "decisionRefused" | "reverted":
            return [f"look: gitops-wf describe {ANY}"]
        case _:
            return []


def _commands_without_revision(event: Event) -> list[str]:
    match event.kind:
        case "paused" if event.environment is None:
            return ["go on: gitops-wf resume --all"]
        case "paused":
            return [f"go on: gitops-wf resume {ANY}"]
        case "approvalsUnreadable" | "inventoryUnread" | "decisionRefused":
            return [f"look: gitops-wf describe {ANY}"]
        case "targetUnreachable":
            return ["look: gitops-wf get targets"]
        case _:
            return []


def _quoted(text: str) -> str:
    """Return a shell word; a name with odd characters is quoted, cut and one line."""
    word = cut(text, 128)
    if word and all(char.isalnum() or char in "-_./" for char in word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"
