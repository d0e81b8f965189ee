"""A fresh sandbox for one scenario: server, controllers and its own clock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.controllers.loop import ControllerLoop
from gitops_wf.sandbox.controllers.work import Pace
from gitops_wf.sandbox.http.server import SandboxServer
from gitops_wf.sandbox.storage import Storage
from tests.replay.client import Client

TOKEN = "token-of-the-replay"
# How long the played kubelet of the recordings took, by and large.
DELAY = timedelta(milliseconds=300)


@contextlib.contextmanager
def fresh_sandbox(*, frozen: bool) -> Iterator[tuple[Client, Callable[[], object]]]:
    """A client of a new cluster, and what waits until its controllers are idle.

    `frozen` stops the cluster's clock at the start.
    """
    start = datetime.now(UTC)
    api = ObjectApi(
        Storage(":memory:"),
        clock=(lambda: start) if frozen else (lambda: datetime.now(UTC)),
    )
    loop = ControllerLoop(api, pace=Pace(delay=DELAY, quiet=True), ca="a certificate")

    def run_controllers(_api: ObjectApi) -> Callable[[], None]:
        loop.start()
        return loop.stop

    with SandboxServer(api, token=TOKEN, on_start=[run_controllers]) as server:
        yield Client(server.url, TOKEN), lambda: loop.wait_idle(10.0)
    api.storage.close()
