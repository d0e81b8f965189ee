"""The daemon's HTTP side, put together."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector

from gitops_wf.adapters.system_clock import SystemClock
from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.redaction import Redactor
from gitops_wf.services.heartbeats import Heartbeats
from gitops_wf.services.query import Query
from gitops_wf.services.watched_store import WatchedStore
from gitops_wf.web.counters import Counters

if TYPE_CHECKING:  # a fifth of what a daemon loads, and many serve nothing
    from gitops_wf.web.server import WebServer


class Serving:
    """What counts from the daemon's start on, and the server that shows it."""

    def __init__(self, heartbeats: Heartbeats, redactor: Redactor) -> None:
        self._redactor = redactor
        self._registry = CollectorRegistry()
        self._heartbeats = heartbeats
        self.counters = Counters(self._registry, SystemClock())

    def server(self, config: DaemonConfig, store: WatchedStore) -> WebServer:
        """Take the port that the config names.

        Errors: TerminalError (AddressUnusable).
        """
        from gitops_wf.web.app import Site, make_app
        from gitops_wf.web.health import Health
        from gitops_wf.web.server import WebServer
        from gitops_wf.web.stored_metrics import StoredMetrics

        release = version("gitops-wf")
        self._registry.register(StoredMetrics(store, release))
        ProcessCollector(registry=self._registry)
        site = Site(
            questions=Query(store=store, config=config),
            health=Health(
                store=store,
                config=config,
                heartbeats=self._heartbeats,
                fault=lambda: store.fault,
            ),
            registry=self._registry,
            version=release,
            redactor=self._redactor,
        )
        return WebServer(make_app(site), config.server)
