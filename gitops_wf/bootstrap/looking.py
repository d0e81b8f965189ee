"""The daemon's store, for a command beside the daemon or without it."""

from gitops_wf.adapters.sql_store import (
    ReadingStore,
    SqlStore,
    open_beside,
    open_for_reading,
)
from gitops_wf.adapters.system_clock import SystemClock
from gitops_wf.core.config import (
    DaemonConfig,
)
from gitops_wf.ports.clock import Clock


def open_query(config: DaemonConfig) -> ReadingStore:
    """Open the daemon's store to look at it; see `open_for_reading`."""
    return open_for_reading(config.store)


def open_brake(config: DaemonConfig) -> SqlStore:
    """Open the daemon's store to pause or resume; see `open_beside`."""
    return open_beside(config.store)


def machine_clock() -> Clock:
    """Return the machine's clock."""
    return SystemClock()
