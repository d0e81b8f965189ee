"""How work that was not carried out comes back."""

from datetime import timedelta

import structlog

from gitops_wf.adapters.dbos_executor.places import Abandoned
from gitops_wf.adapters.dbos_executor.work import Queued
from gitops_wf.core.backoff import backoff
from gitops_wf.core.errors import TransientError

log = structlog.get_logger()


def report(queued: Queued, error: BaseException, retry_in: float) -> None:
    """Log why; a traceback only where somebody has to mend a bug."""
    work = log.bind(work=queued.id, retry_in=retry_in)
    match error:
        case Abandoned():
            work.info("work.abandoned")
        case TransientError():
            work.warning("work.postponed", error=error.message)
        case _:
            work.error("work.failed", exc_info=error)


def pause_before(queued: Queued, error: BaseException) -> timedelta:
    """Return the wait before the next try: grown, or asked for by the other side."""
    if isinstance(error, Abandoned):
        return timedelta()
    pause = backoff(queued.failures)
    asked = error.retry_after if isinstance(error, TransientError) else None
    return max(pause, asked or timedelta())
