"""A TCP proxy that can stop forwarding, as a machine in between that hangs would."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator


class TcpProxy:
    """Forwards to a port of loopback until it `hangs`, and again once it `goes_on`.

    While it hangs, connections stay open and new ones are accepted: nothing but
    silence tells the client.
    """

    def __init__(self, to: int) -> None:
        self._to = to
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._is_forwarding = True
        self._is_closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="proxy")
        self._thread.start()

    def hang(self) -> None:
        self._is_forwarding = False

    def go_on(self) -> None:
        self._is_forwarding = True

    def close(self) -> None:
        self._is_closed = True
        self._thread.join(10)
        for one in (self._listener, *self._pairs):
            one.close()

    def _run(self) -> None:
        while not self._is_closed:
            watched = [self._listener, *(self._pairs if self._is_forwarding else ())]
            for one in select.select(watched, [], [], 0.02)[0]:
                if one is self._listener:
                    self._accept()
                elif one in self._pairs:
                    self._forward(one)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._to))
        self._pairs[client], self._pairs[server] = server, client

    def _forward(self, one: socket.socket) -> None:
        other = self._pairs[one]
        try:
            data = one.recv(65536)
            other.sendall(data)
        except OSError:
            data = b""
        if not data:
            for each in (one, other):
                del self._pairs[each]
                each.close()


@contextlib.contextmanager
def tcp_proxy(to: int) -> Iterator[TcpProxy]:
    proxy = TcpProxy(to)
    try:
        yield proxy
    finally:
        proxy.close()
