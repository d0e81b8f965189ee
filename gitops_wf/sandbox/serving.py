"""The sandbox in this process: server and controllers, until a signal ends them."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.certificates import ensure_certificates
from gitops_wf.sandbox.clocks import system_now
from gitops_wf.sandbox.controllers.faults import parse_duration
from gitops_wf.sandbox.controllers.loop import ControllerLoop
from gitops_wf.sandbox.controllers.work import Pace
from gitops_wf.sandbox.directory import (
    Hold,
    SandboxDirectory,
    Settings,
    new_token,
)
from gitops_wf.sandbox.http.server import SandboxServer
from gitops_wf.sandbox.storage import Storage

DEFAULT_DELAY = "300ms"
_LOG = logging.getLogger(__name__)


def serve(
    directory: SandboxDirectory,
    *,
    port: int = 0,
    delay: str = "",
    ready: Callable[[str], None],
) -> None:
    """Serve a directory until SIGTERM or SIGINT; call from the main thread.

    `ready` gets the server's address once it answers. Port 0 is the one of the last
    start, if it is free; a delay of '' is the last start's too. Raises AlreadyRunning,
    ValueError for a delay that is no duration, and OSError for a port that is taken.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    directory.create()
    with Hold(directory):
        kept = directory.settings()
        settings = Settings(
            port=port or (kept.port if kept else 0),
            token=kept.token if kept else new_token(),
            delay=delay or (kept.delay if kept else DEFAULT_DELAY),
        )
        storage = Storage(directory.database)
        try:
            _serve(directory, storage, settings, stop, ready, must_have=port != 0)
        finally:
            storage.close()


def pace_of(delay: str) -> Pace:
    """The pace of a node with this delay; ValueError where it is no duration."""
    duration = parse_duration(delay)
    if duration is None and delay != "0":
        raise ValueError(
            f"delay {delay!r} is no duration; write for example 300ms or 2s"
        )
    return Pace(delay=duration or timedelta())


def _serve(
    directory: SandboxDirectory,
    storage: Storage,
    settings: Settings,
    stop: threading.Event,
    ready: Callable[[str], None],
    *,
    must_have: bool,
) -> None:
    certificates = ensure_certificates(directory.tls, system_now())
    pace = pace_of(settings.delay)
    ca = certificates.ca.read_text(encoding="ascii")

    def run_controllers(api: ObjectApi) -> Callable[[], None]:
        loop = ControllerLoop(api, pace=pace, ca=ca)
        loop.start()
        return loop.stop

    def server_on(port: int) -> SandboxServer:
        return SandboxServer(
            ObjectApi(storage),
            token=settings.token,
            port=port,
            request_log=directory.requests,
            on_start=[run_controllers],
            tls=(certificates.certificate, certificates.key),
        )

    try:
        server = server_on(settings.port)
    except OSError:
        if must_have or not settings.port:
            raise
        # Somebody took the port in the meantime: the kubeconfig changes with it.
        _LOG.warning("port %d is taken; taking another", settings.port)
        server = server_on(0)
    directory.keep(
        Settings(port=server.port, token=settings.token, delay=settings.delay)
    )
    directory.write_kubeconfig(server.url, settings.token, ca)
    with server:
        _LOG.warning("serving %s, process %d", server.url, os.getpid())
        ready(server.url)
        stop.wait()
    _LOG.warning("stopped")
