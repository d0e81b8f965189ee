"""Git remotes that hang, break and lie, and what the daemon goes on doing meanwhile.

What one answer means is proven at the adapter (tests/contract/test_git_failures.py);
here it is the process: that nobody else waits, that people are told once, and that it
ends when it is told to.
"""

import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from tests.daemons import DaemonProcess, cli, eventually
from tests.gitserver import (
    GitHttpServer,
    GitWorkTree,
    bare_repository,
    make_key,
)
from tests.servers import missing

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: say, type: print-message-in-status, properties: {message: hello}}
"""
HANGING = 10


@dataclass
class Silence:
    """A server that accepts connections and never says a word."""

    connections: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self.connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(accepted)

    @property
    def open(self) -> int:
        """How many clients still wait."""
        return sum(_is_open(each) for each in list(self.connections))


def _is_open(connection: socket.socket) -> bool:
    """Whether the other side has not hung up; what it has said is left unread."""
    try:
        while connection.recv(65536, socket.MSG_DONTWAIT):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@dataclass
class Shop:
    """A daemon's repositories: each is one environment with one step."""

    root: Path
    daemon: DaemonProcess

    def repository(self, name: str) -> GitWorkTree:
        bare = bare_repository(self.root / f"{name}.git")
        work = GitWorkTree.init(self.root / f"{name}-work", remote=str(bare))
        work.push_commit({f"envs/{name}/workflow.yaml": WORKFLOW}, "First")
        return work

    def configure(self, repositories: dict[str, object], **more: object) -> None:
        config = {"repositories": repositories, **more}
        self.daemon.config.write_text(json.dumps(config))

    def shown(self) -> dict[str, dict[str, object]]:
        """What `get repositories` says of each."""
        return {each["repository"]: each for each in self.daemon.get("repositories")}

    def told(self, kind: str) -> list[str]:
        """The repositories of the events of a kind, in order."""
        done = cli(
            *("events", "-o", "json", "--config", str(self.daemon.config)),
            cwd=self.daemon.folder,
        )
        assert done.returncode == 0, done.stderr
        events = json.loads(done.stdout)
        return [each["repository"] for each in events if each["kind"] == kind]

    def logged(self, event: str) -> list[str]:
        """The repositories of the log's lines about something, in order."""
        lines = map(json.loads, filter(None, self.daemon.log.splitlines()))
        return [each["repository"] for each in lines if each["event"] == event]


@contextmanager
def shop_in(folder: Path) -> Iterator[Shop]:
    (folder / "daemon").mkdir()
    config = folder / "daemon" / "gitops-wf.yaml"
    made = Shop(folder, DaemonProcess(folder / "daemon", config))
    try:
        yield made
    finally:
        made.daemon.close()


@pytest.fixture
def shop(tmp_path):
    with shop_in(tmp_path) as made:
        yield made


def test_remotes_that_hang_hold_up_no_other_and_not_the_end(shop):
    if shutil.which("ssh-keygen") is None:
        missing("ssh", "apt-get install openssh-client")
    make_key(shop.root / "key")
    (shop.root / "known_hosts").write_text("")
    auth = {
        "type": "ssh",
        "secretRef": {"name": "key"},
        "knownHosts": str(shop.root / "known_hosts"),
    }
    work = shop.repository("good")
    with Silence() as silence:
        place = f"127.0.0.1:{silence.port}"
        ways = {
            "http": {"url": f"http://{place}/r.git", "allowHttp": True},
            "ssh": {"url": f"ssh://git@{place}/r.git", "auth": auth},
        }
        hanging = {
            f"{way}{n}": {**fields, "interval": "1s"}
            for way, fields in ways.items()
            for n in range(HANGING // 2)
        }
        good = {"url": str(shop.root / "good.git"), "interval": "1s"}
        secrets = {"key": {"file": str(shop.root / "key")}}
        shop.configure({**hanging, "good": good}, secrets=secrets)
        shop.daemon.start()

        # More than there are places for polls, and none has been given up yet.
        eventually(lambda: silence.open >= HANGING, what="all to hang")
        shop.daemon.reaches("good", ["Succeeded"])
        work.push_commit({"envs/good/note": "2"}, "Second")
        shop.daemon.reaches("good", ["Succeeded", "Succeeded"])

        assert silence.open >= HANGING
        assert shop.daemon.stop() == 0
        assert silence.open == 0
    assert json.loads(shop.daemon.log.splitlines()[-1])["event"] == "daemon.stopped"
    assert "Traceback" not in shop.daemon.log
    # What the end cut off is no failure of the remote.
    assert shop.logged("repository.failed") == []
    shown = shop.shown()
    assert not any(shown[name]["failures"] for name in hanging)


FAULTS = {
    "missing": (404, "there is no repository, or the credentials may not see it"),
    "broken": (500, "the server answered 500"),
    "busy": (429, "the server answered 429: too busy"),
    "garbage": ("garbage", "what answers there does not speak Git; check the url"),
    "dropped": ("drop", "the connection broke before all was sent"),
    "truncated": ("truncate", "the connection broke before all was sent"),
    "rotated": (None, "the server refuses the credentials, or wants some"),
}
"""By repository: how its server misbehaves, and what is said of it."""


def test_each_fault_is_shown_told_once_backed_off_and_gone_when_it_is_mended(shop):
    token = shop.root / "token"
    token.write_text("first")
    with ExitStack() as stack:
        work = {name: shop.repository(name) for name in [*FAULTS, "good"]}
        servers = {
            name: stack.enter_context(GitHttpServer(shop.root)) for name in FAULTS
        }
        servers["rotated"].credentials = ("bearer", "first")
        servers["busy"].retry_after = "1"
        config = {
            name: {
                "url": server.url(f"{name}.git"),
                "interval": "1s",
                "allowHttp": True,
            }
            for name, server in servers.items()
        }
        config["rotated"]["auth"] = {"type": "bearer", "secretRef": {"name": "token"}}
        good = {"url": str(shop.root / "good.git"), "interval": "1s"}
        secrets = {"token": {"file": str(token)}}
        shop.configure({**config, "good": good}, secrets=secrets)
        shop.daemon.start()
        for name in work:
            shop.daemon.reaches(name, ["Succeeded"])

        for name, server in servers.items():
            server.misbehave = FAULTS[name][0]
            server.requests.clear()
        servers["rotated"].credentials = ("bearer", "second")
        for name, tree in work.items():
            # Large enough that half a pack is a broken one.
            noise = os.urandom(20_000).hex()
            tree.push_commit({f"envs/{name}/note": noise}, "Second")

        def all_failed_twice() -> bool:
            shown = shop.shown()
            return all(shown[name]["failures"] >= 2 for name in FAULTS)

        eventually(all_failed_twice, what="each to fail twice")
        shop.daemon.reaches("good", ["Succeeded", "Succeeded"])
        shown = shop.shown()
        for name, (_, words) in FAULTS.items():
            assert words in shown[name]["message"], name
            assert not shown[name]["ready"], name
            # Each poll asks a few times at most, and the interval is a second.
            asked = [r for r in servers[name].requests if "info/refs" in r.path]
            assert len(asked) <= 3 * shown[name]["failures"] + 3, name
        assert shown["good"]["ready"]

        for server in servers.values():
            server.misbehave = None
        token.write_text("second")
        for name in FAULTS:
            shop.daemon.reaches(name, ["Succeeded", "Succeeded"])

        def all_well() -> bool:
            return all(each["ready"] for each in shop.shown().values())

        eventually(all_well, what="all to be well again")
        for kind in ("repositoryFailed", "repositoryRecovered"):
            assert sorted(shop.told(kind)) == sorted(FAULTS)
        for event in ("repository.failed", "repository.recovered"):
            assert sorted(shop.logged(event)) == sorted(FAULTS)
        assert shop.daemon.stop() == 0
    assert "Traceback" not in shop.daemon.log
    assert "second" not in shop.daemon.log
