"""The interpreter of runs: what follows now, and what an event makes of a run.

``decide(run, now)`` says which events follow by themselves and which work to ask
for; ``record(run, event)`` gives the run as it is after an event. Both are pure,
so replaying the events gives the same run, and a restarted daemon goes on from
the stored value alone.
"""

from gitops_wf.core.engine.anchored import anchored
from gitops_wf.core.engine.deadlines import next_due
from gitops_wf.core.engine.decide import advance, decide
from gitops_wf.core.engine.departed import departed, removing, with_pruning, writers
from gitops_wf.core.engine.events import (
    Asked,
    Began,
    Concluded,
    Ended,
    EndRequested,
    EngineEvent,
    Opened,
    Released,
    Reminded,
    Reported,
)
from gitops_wf.core.engine.foretell import foretell, needs_outputs, undecided
from gitops_wf.core.engine.plan import new_run, places, predecessors
from gitops_wf.core.engine.properties import filled
from gitops_wf.core.engine.record import is_current, record
from gitops_wf.core.engine.transitions import TRANSITIONS

__all__ = [
    "TRANSITIONS",
    "Asked",
    "Began",
    "Concluded",
    "EndRequested",
    "Ended",
    "EngineEvent",
    "Opened",
    "Released",
    "Reminded",
    "Reported",
    "advance",
    "anchored",
    "decide",
    "departed",
    "filled",
    "foretell",
    "is_current",
    "needs_outputs",
    "new_run",
    "next_due",
    "places",
    "predecessors",
    "record",
    "removing",
    "undecided",
    "with_pruning",
    "writers",
]
