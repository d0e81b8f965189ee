"""The two queues and their limits, as DBOS is told of them."""

from dataclasses import dataclass
from datetime import timedelta

from dbos import DBOS, EnqueueOptions, Queue

from gitops_wf.adapters.dbos_executor.work import OUTSIDE, TARGETS, Queued

WORKFLOW = "carry-out"

APPLICATION_VERSION = "1"
"""Never follows the package's: work enqueued before an upgrade would wait for ever.

It changes only when the arguments of queued work can no longer be read.
"""

POLL_SECONDS = 3.0
"""For what nobody here can know of: work that another replica has no place for.

Whoever enqueues work, or makes a place free, looks for itself at once.
"""

POLL_SECONDS_ALONE = 5.0
"""The same where there are no others; only a safety net, for workers are woken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is carried out at the same time, over all replicas.

    ``at_once`` holds for each of the two queues; ``grace`` is how long `stop`
    waits for what is being carried out.
    """

    at_once: int = 32
    per_target: int = 8
    grace: timedelta = timedelta(seconds=3)


def register_queues(limits: Limits, *, alone: bool) -> tuple[Queue, Queue]:
    """Tell DBOS of the queues; ``alone`` where no other process shares them.

    What one process counts itself, it need not ask the database at every poll.
    """
    per_target = min(limits.per_target, limits.at_once)
    poll = POLL_SECONDS_ALONE if alone else POLL_SECONDS
    targets = DBOS.register_queue(
        TARGETS,
        global_concurrency=None if alone else limits.at_once,
        partition_concurrency=None if alone else per_target,
        worker_concurrency=limits.at_once if alone else None,
        partition_worker_concurrency=per_target if alone else None,
        polling_interval_sec=poll,
        on_conflict="always_update",
    )
    outside = DBOS.register_queue(
        OUTSIDE,
        global_concurrency=None if alone else limits.at_once,
        worker_concurrency=limits.at_once if alone else None,
        polling_interval_sec=poll,
        on_conflict="always_update",
    )
    return targets, outside


def options(queued: Queued, delay: float) -> EnqueueOptions:
    """Say where work goes, and when; a delay in seconds."""
    chosen = EnqueueOptions(
        workflow_name=WORKFLOW,
        queue_name=queued.queue,
        workflow_id=queued.id,
        app_version=APPLICATION_VERSION,
    )
    if queued.target is not None:
        chosen["queue_partition_key"] = queued.target
    if delay > 0:
        chosen["delay_seconds"] = delay
    return chosen
