"""The HTTP server: its socket, its thread, its end."""

import socket
import threading

import structlog
import uvicorn
from starlette.types import ASGIApp

from gitops_wf.core.errors import TerminalError

log = structlog.get_logger()

GRACE_SECONDS = 2
"""How long the end waits for answers that are being given."""


class WebServer:
    """Serves an application from a thread of the daemon.

    The port is taken at once, so that one in use is known before anything starts.
    """

    def __init__(self, app: ASGIApp, address: str) -> None:
        """Bind ``address``, host:port; port 0 takes a free one.

        Errors: TerminalError (AddressUnusable) where the port is in use, the host
        unknown or not of this machine, or the port not ours to take.
        """
        self._socket = _bound(address)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="web", daemon=True
        )

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Begin to serve."""
        self._socket.listen(128)
        self._thread.start()
        log.info("web.started", url=self.url)

    def stop(self) -> None:
        """End; whoever is being answered has `GRACE_SECONDS`."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self.close()

    def close(self) -> None:
        """Let go of the port."""
        self._socket.close()


def _bound(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM
        )[0]
        family, kind, protocol, _, place = found
        made = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise _unusable(address, exc) from exc
    try:
        # Else a restart would wait for the old connections' TIME_WAIT.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
    except OSError as exc:
        made.close()
        raise _unusable(address, exc) from exc
    return made


def _unusable(address: str, cause: OSError) -> TerminalError:
    return TerminalError(
        f"server: {address} cannot be served on: {cause.strerror or cause}; free it, or"
        " write another host:port as `server` of the daemon config",
        reason="AddressUnusable",
    )
