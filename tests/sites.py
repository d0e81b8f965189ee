"""The daemon's HTTP side over a store, without a daemon."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from gitops_wf.adapters.sql_store import open_for_reading
from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.redaction import Redactor
from gitops_wf.services.heartbeats import Heartbeats
from gitops_wf.services.query import Query
from gitops_wf.web.app import Site, make_app
from gitops_wf.web.counters import Counters
from gitops_wf.web.health import Health
from gitops_wf.web.server import WebServer
from gitops_wf.web.stored_metrics import StoredMetrics
from tests.fakes.clock import FakeClock


class Stopwatch:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class ServedSite:
    """An application and what stands behind it."""

    app: Any
    client: httpx.Client
    counters: Counters
    heartbeats: Heartbeats
    stopwatch: Stopwatch
    clock: FakeClock
    redactor: Redactor

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.client.get(path, params=params)

    def metrics(self) -> list[str]:
        """The lines of a scrape that are values."""
        answer = self.get("/metrics")
        assert answer.status_code == 200, answer.text
        return [line for line in answer.text.splitlines() if not line.startswith("#")]


@contextmanager
def served_site(config: DaemonConfig, *, fault: str = "") -> Iterator[ServedSite]:
    """The application over the store of a config, which must be there."""
    store = open_for_reading(config.store)
    stopwatch, clock, redactor = Stopwatch(), FakeClock(), Redactor()
    heartbeats = Heartbeats(stopwatch)
    registry = CollectorRegistry()
    counters = Counters(registry, clock)
    registry.register(StoredMetrics(store, "1.2.3"))
    app = make_app(
        Site(
            questions=Query(store=store, config=config),
            health=Health(
                store=store, config=config, heartbeats=heartbeats, fault=lambda: fault
            ),
            registry=registry,
            version="1.2.3",
            redactor=redactor,
        )
    )
    try:
        server = WebServer(app, "127.0.0.1:0")
        server.start()
        try:
            with httpx.Client(base_url=server.url) as client:
                yield ServedSite(
                    app, client, counters, heartbeats, stopwatch, clock, redactor
                )
        finally:
            server.stop()
    finally:
        store.close()


def break_store(config: DaemonConfig) -> None:
    """Take the table of repositories away: every look at it fails from now on."""
    with closing(sqlite3.connect(config.store.removeprefix("sqlite:///"))) as database:
        database.execute("DROP TABLE repository")
        database.commit()
