"""What is told of a released revision that drifted, or is not well: events and log."""

from collections.abc import Iterable
from datetime import datetime

import structlog

from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.revision import Revision
from gitops_wf.core.upkeep.state import Change, Edge
from gitops_wf.services.revisions import title

log = structlog.get_logger()

_SAYS = {
    Edge.DRIFT: "differs from Git",
    Edge.HEALED: "is as Git says again",
    Edge.RENEWED: "has a renewed copy",
    Edge.DEGRADED: "is degraded",
    Edge.RECOVERED: "is well again",
}


def upkeep_event(
    change: Change, revision: Revision, target: TargetName, now: datetime
) -> Event:
    """Return the event of an edge; its metadata tell one edge from the next."""
    says = _SAYS[change.edge]
    if change.reason == "HealFailed":
        says = "cannot be healed"
    is_bad = change.edge in {Edge.DRIFT, Edge.DEGRADED}
    return Event(
        at=now,
        kind=change.edge.value,
        reason=change.reason,
        message=f"{title(revision)} {says} on {target}: {change.message}",
        type=EventType.WARNING if is_bad else EventType.NORMAL,
        environment=revision.environment,
        revision=revision.number,
        metadata={"target": target, "edge": now.isoformat()},
    )


def log_changes(changes: Iterable[Change]) -> None:
    """Log edges that were stored; whose they are is bound to the context."""
    for change in changes:
        about = log.bind(reason=change.reason, message=change.message)
        match change.edge:
            case Edge.DRIFT:
                about.warning("drift.found")
            case Edge.HEALED:
                about.info("drift.ended")
            case Edge.RENEWED:
                about.info("copy.renewed")
            case Edge.DEGRADED:
                about.warning("health.degraded")
            case Edge.RECOVERED:
                about.info("health.recovered")
