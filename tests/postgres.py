"""A private PostgreSQL server for tests: one per test process, a database per test."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.servers import missing

_SETTINGS = {
    # Nothing here outlives the tests, so nothing has to reach the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "logging_collector": "off",
}


class PostgresServer:
    """A running server; `database` makes an empty database and returns its URL."""

    def __init__(self, folder: Path, binaries: Path, port: int) -> None:
        self._folder = folder
        self._binaries = binaries
        self.port = port

    def url(self, database: str) -> str:
        return f"postgresql://tests@127.0.0.1:{self.port}/{database}"

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        name = f"t{uuid.uuid4().hex}"
        self._administer(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def restart(self) -> None:
        """Restart it as an operator would in a hurry: connections are cut."""
        _pg_ctl(self._binaries, self._folder, "-m", "fast", "restart")

    def stop(self) -> None:
        """Stop it as an operator would in a hurry: connections are cut."""
        _pg_ctl(self._binaries, self._folder, "-m", "fast", "stop")

    def start(self) -> None:
        """Start it again; nothing if it runs."""
        if not (self._folder / "data" / "postmaster.pid").exists():
            _pg_ctl(self._binaries, self._folder, "start")

    def cut(self, url: str) -> int:
        """End every connection to a database; return how many there were."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
            return admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s",
                [name],
            ).rowcount

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
            admin.execute(statement)


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server; skip where PostgreSQL is not installed."""
    binaries = _binaries()
    # Below the system's own temporary folder: its user must be able to get there,
    # and pytest's folders are closed to others.
    folder = Path(tempfile.mkdtemp(prefix="gitops-wf-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, *_USER)
        _run(
            binaries / "initdb", "-D", folder / "data", "-U", "tests", "-A", "trust",
            "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        port = _free_port()
        settings = "\n".join(f"{key} = '{value}'" for key, value in _SETTINGS.items())
        config = folder / "data" / "postgresql.auto.conf"
        config.write_text(f"port = {port}\n{settings}\n")
        _pg_ctl(binaries, folder, "start")
        try:
            yield PostgresServer(folder, binaries, port)
        finally:
            _pg_ctl(binaries, folder, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_USER = ("nobody", "nogroup")
"""PostgreSQL refuses to run as root; this user is on every Debian."""


def _binaries() -> Path:
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: int(re.sub(r"\D", "", path.parts[-3]) or 0),
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        missing("PostgreSQL", "apt-get install postgresql")
    return Path(on_path).resolve().parent


def _pg_ctl(binaries: Path, folder: Path, *arguments: str) -> None:
    _run(
        binaries / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w",
        "-t", "60", *arguments,
    )  # fmt: skip


def _run(*command: str | Path) -> None:
    line = [str(part) for part in command]
    if os.geteuid() == 0:
        user, group = _USER
        line = [
            "setpriv",
            f"--reuid={user}",
            f"--regid={group}",
            "--clear-groups",
            *line,
        ]
    done = subprocess.run(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a pipe would be held open by the server
        stderr=subprocess.PIPE if "initdb" in str(command[0]) else None,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"},
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
