"""How work that was not carried out comes back."""

from datetime import timedelta

import structlog

from gitops_wf.adapters.dbos_executor.places import Abandoned
from gitops_wf.adapters.dbos_executor.work import Queued
from gitops_wf.core.backoff import backoff
from gitops_wf.core.errors import TransientError
from gitops_wf.ports.executor import PostponedError
from gitops_wf.ports.store import StoreUnavailableError

log = structlog.get_logger()

LONGEST_PAUSE = timedelta(seconds=5)
"""While the database is away: what waits for it goes on soon after it is back."""


def report(queued: Queued, error: BaseException, retry_in: float) -> None:
    """Log why; a traceback only where somebody has to mend a bug."""
    work = log.bind(work=queued.id, retry_in=retry_in)
    match error:
        case Abandoned():
            work.info("work.abandoned")
        case PostponedError():
            log.debug("work.waits", work=queued.id, cause=error.message)
        case StoreUnavailableError():
            # The store itself says so, once, for all work.
            log.debug("work.held", work=queued.id, cause=error.message)
        case TransientError():
            work.warning("work.postponed", cause=error.message)
        case _:
            work.error("work.failed", exc_info=error)


def pause_before(queued: Queued, error: BaseException) -> timedelta:
    """Return the wait before the next try: grown, or asked for by the other side."""
    if isinstance(error, Abandoned):
        return timedelta()
    if isinstance(error, StoreUnavailableError):
        return backoff(queued.failures, longest=LONGEST_PAUSE)
    if isinstance(error, PostponedError):
        return error.retry_after or backoff(1)
    pause = backoff(queued.failures)
    asked = error.retry_after if isinstance(error, TransientError) else None
    return max(pause, asked or timedelta())
