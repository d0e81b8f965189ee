"""Looking at the daemon's store, beside the daemon or without it."""

from gitops_wf.adapters.sql_store import ReadingStore, open_for_reading
from gitops_wf.adapters.system_clock import SystemClock
from gitops_wf.core.config import (
    DaemonConfig,
)
from gitops_wf.ports.clock import Clock


def open_query(config: DaemonConfig) -> ReadingStore:
    """Open the daemon's store to look at it; see `open_for_reading`."""
    return open_for_reading(config.store)


def machine_clock() -> Clock:
    """Return the machine's clock."""
    return SystemClock()
