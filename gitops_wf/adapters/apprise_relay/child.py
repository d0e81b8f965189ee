"""What runs in the child: Apprise, whose every connection the parent has allowed.

Apprise opens its connections itself, by several libraries. So this process resolves no
name: it asks the parent, which judges the host and its addresses, and only what the
parent answered is ever connected to. One JSON object a line, both ways:

    in   {"url": …, "subject": …, "text": …}
    out  {"resolve": HOST, "port": PORT}
    in   {"addresses": [ADDRESS, …]}, none where it is refused
    out  {"sent": true | false | null, "service": NAME, "said": [LINE, …]}
"""

# This module is run by itself, and everything that it replaces must be before Apprise
# is imported: so it imports nothing of ours.

import json
import logging
import socket
import sys
from collections.abc import Iterable
from typing import Any, BinaryIO

DESKTOPS = frozenset(
    {"dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"}
)
"""Services of the machine itself: nobody sits before the daemon's."""

_LINES = 3


class _Parent:
    """The other end of the pipes."""

    def __init__(self, asked: BinaryIO, answers: BinaryIO) -> None:
        self._asked = asked
        self._answers = answers
        self.allowed: set[str] = set()

    def read(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self._asked.readline())
        return read

    def say(self, **said: Any) -> None:
        self._answers.write(json.dumps(said).encode() + b"\n")
        self._answers.flush()

    def addresses(self, host: str, port: int) -> list[str]:
        self.say(resolve=host, port=port)
        found = [str(address) for address in self.read()["addresses"]]
        self.allowed.update(found)
        if not found:
            raise socket.gaierror(socket.EAI_FAIL, "refused")
        return found


def confine(parent: _Parent) -> None:
    """Let this process connect to what the parent allows, by TCP, and to no more."""

    def getaddrinfo(
        host: bytes | str | None, port: bytes | str | int | None, *_: Any, **__: Any
    ) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        number = int(port or 0)
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address, number, 0, 0) if ":" in address else (address, number),
            )
            for address in parent.addresses(name, number)
        ]

    def by_name(host: str) -> str:
        return parent.addresses(host, 0)[0]

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError("only TCP to allowed addresses")

    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        is_tcp = self.type == socket.SOCK_STREAM and isinstance(address, tuple)
        if not is_tcp or address[0] not in parent.allowed:
            refuse()
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        try:
            guarded(self, address)
        except OSError as exc:
            return exc.errno or 1
        return 0

    replaced: dict[str, Any] = {
        "getaddrinfo": getaddrinfo,
        "gethostbyname": by_name,
        "gethostbyname_ex": refuse,
        "gethostbyaddr": refuse,
        "getfqdn": lambda _name="": "localhost",
    }
    for name, function in replaced.items():
        setattr(socket, name, function)
    methods: dict[str, Any] = {
        "connect": guarded,
        "connect_ex": guarded_ex,
        "sendto": refuse,
        "sendmsg": refuse,
    }
    for name, function in methods.items():
        setattr(socket.socket, name, function)


class _Said(logging.Handler):
    """Keeps the last warnings: why a service did not take a message."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines = [*self.lines, record.getMessage()][-_LINES:]


def send(url: str, subject: str, text: str, said: _Said) -> tuple[bool | None, str]:
    """Send it by the one service that the URL names; None where it names none."""
    import apprise

    if url.partition("://")[0].casefold() in DESKTOPS:
        return None, ""
    asset = apprise.AppriseAsset(storage_mode="memory", async_mode=False)
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        return None, ""
    relay = apprise.Apprise(asset=asset)
    relay.add(service)
    said.lines.clear()
    is_sent = relay.notify(body=text, title=subject, body_format="text")
    return bool(is_sent), str(service.service_name)


def main(arguments: Iterable[str] = ()) -> None:
    """Do what the parent asks, once."""
    del arguments
    # Whatever prints must not get between the lines.
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    parent = _Parent(sys.stdin.buffer, answers)
    asked = parent.read()
    confine(parent)
    said = _Said()
    logger = logging.getLogger("apprise")
    logger.addHandler(said)
    is_sent, service = send(asked["url"], asked["subject"], asked["text"], said)
    parent.say(sent=is_sent, service=service, said=said.lines)


if __name__ == "__main__":
    main()
