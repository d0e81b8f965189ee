"""The daemon's store, opened to look at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_wf.cli.place import find_config

if TYPE_CHECKING:  # they load the engine, and every command loads this
    from gitops_wf.core.config import DaemonConfig
    from gitops_wf.core.identifiers import EnvironmentId
    from gitops_wf.ports.clock import Clock
    from gitops_wf.services.query import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A config and its store, for as long as one command takes."""

    config: DaemonConfig
    query: Query
    clock: Clock

    def now(self) -> datetime:
        """Return the time."""
        return self.clock.now()

    def environment(self, name: str | None) -> EnvironmentId | None:
        """Return the environment that an optional argument names."""
        return None if name is None else self.query.resolve(name)


@contextmanager
def session(config: Path | None) -> Iterator[Session]:
    """Open the store of the daemon that is meant.

    Errors: TerminalError, TransientError and DefinitionError that say what is wrong.
    """
    from gitops_wf.bootstrap.looking import machine_clock, open_query
    from gitops_wf.services.query import Query

    found = find_config(config)
    store = open_query(found)
    try:
        query = Query(store=store, config=found)
        yield Session(config=found, query=query, clock=machine_clock())
    finally:
        store.close()
