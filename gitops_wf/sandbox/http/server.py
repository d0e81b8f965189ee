"""The sandbox's HTTP server on loopback: its socket, its thread, its end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.http.app import SandboxApp
from gitops_wf.sandbox.http.requestlog import RequestLog

# Called with the api once requests are served; what it returns ends what it began.
StartHook = Callable[[ObjectApi], Callable[[], None]]


class SandboxServer:
    """Serves an ObjectApi at a loopback address until it is stopped."""

    def __init__(
        self,
        api: ObjectApi,
        *,
        token: str,
        port: int = 0,
        request_log: Path | None = None,
        tls: tuple[Path, Path] | None = None,
        on_start: Sequence[StartHook] = (),
    ) -> None:
        """Bind the socket; port 0 takes a free one. Nothing is served before `start`.

        `token` is the bearer token that every request must carry. `tls` names the
        files of a certificate and its key; without it the server speaks plain HTTP.
        """
        self._scheme = "https" if tls else "http"
        self._api = api
        self._on_start = tuple(on_start)
        self._stops: list[Callable[[], None]] = []
        self._log = RequestLog(request_log)
        self._app = SandboxApp(api, token=token, log=self._log)
        # Named as TCP, asyncio turns Nagle's algorithm off; without that each answer
        # to a client that delays its acknowledgements takes 40 ms more.
        self._socket = socket.socket(
            socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            self._app,
            log_config=None,
            lifespan="off",
            access_log=False,
            server_header=False,
            timeout_keep_alive=90,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=1024 * 1024,
            ssl_certfile=str(tls[0]) if tls else None,
            ssl_keyfile=str(tls[1]) if tls else None,
        )
        self._server = _Server(config, self._app.end_watches)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="sandbox-http"
        )

    @property
    def port(self) -> int:
        """The port it is bound to."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The server's address, `https://127.0.0.1:PORT` with a certificate."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve in a thread of its own, and start what was given as `on_start`."""
        self._socket.listen(128)
        self._thread.start()
        self._stops = [hook(self._api) for hook in self._on_start]

    def stop(self) -> None:
        """End the hooks, open watches and the server."""
        for stop in reversed(self._stops):
            stop()
        self._stops = []
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()
        self._log.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(uvicorn.Server):
    """Ends the watches first, since they would hold the shutdown up."""

    def __init__(self, config: uvicorn.Config, end_watches: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_watches = end_watches

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end_watches()
        await super().shutdown(sockets)
