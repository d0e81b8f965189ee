"""Many runs that wait: python -m tests.benchmarks.suspended [ENVIRONMENTS].

A repository of many environments, each with a run that waits for an approval. The
daemon itself makes them, so that every row is there that the product makes: revisions
with their definitions, runs, steps, events, and the queue's own. Then it is started
anew: how soon it is ready, what it takes at rest, what a scrape of its metrics and an
approval of one of the many cost. Prints figures, asserts nothing.
"""

import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from sqlalchemy import text

from gitops_wf.adapters.sql_store import open_for_reading
from gitops_wf.core.errors import GitOpsError
from gitops_wf.core.identifiers import EnvironmentId, EnvironmentName, environment_id
from gitops_wf.core.phases import Phase
from tests.benchmarks.first_step import load, report
from tests.benchmarks.processes import usage
from tests.contract.git_remotes import Served, served
from tests.daemons import DaemonProcess
from tests.gitworktree import ANN
from tests.postgres import postgres_server
from tests.releases import REPOSITORY, approval

ENVIRONMENTS = 10_000
IDLE_SECONDS = 30.0
CALM_SECONDS = 10.0
SCRAPES = 3
APPROVALS = 5
PATIENCE = 1800.0

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: say, type: print-message-in-status, properties: {message: hello}}
  - {name: go-live, type: suspend}
  - {name: done, type: print-message-in-status, properties: {message: live}}
"""
CONFIG = """\
instance: benchmark
server: 127.0.0.1:0
store: {store}
repositories:
  shop: {{url: {url}, interval: 30s}}
targets:
  disk: {{directory: {folder}}}
"""


class Bench:
    """A daemon on a store, and the repository that it watches."""

    def __init__(self, folder: Path, remote: Served, store: str, count: int) -> None:
        config = folder / "gitops-wf.yaml"
        config.write_text(CONFIG.format(store=store, url=remote.url, folder=folder))
        self._daemon = DaemonProcess(folder, config, is_forked=False)
        self._remote = remote
        self._store = store
        self._count = count

    def make(self) -> None:
        """Let the daemon make all that waits."""
        begin = time.monotonic()
        self._daemon.start()
        self._until(lambda: self._suspended() == self._count, "all runs to wait", 2)
        seconds = time.monotonic() - begin
        report(
            f"{self._count} environments made and brought to their approval:"
            f" {seconds:.0f} s, {self._memory()}"
        )
        self._daemon.stop()

    def restart(self) -> None:
        """Start it anew on all that."""
        (self._daemon.folder / "daemon.log").unlink()
        begin = time.monotonic()
        self._daemon.start()
        self._until(lambda: "daemon.started" in self._daemon.log, "the daemon", 0.02)
        started = time.monotonic() - begin
        self._until(lambda: self._get("/readyz").is_success, "it to be ready", 0.05)
        ready = time.monotonic() - begin
        polled = "gitops_wf_last_poll_timestamp_seconds{"
        self._until(lambda: polled in self._get("/metrics").text, "a poll", 0.1)
        report(
            f"restart: loops begin after {started:.1f} s, ready after {ready:.1f} s,"
            f" first poll ended after {time.monotonic() - begin:.1f} s;"
            f" {self._memory()}"
        )

    def rest(self) -> None:
        """Let nothing happen, then let somebody scrape."""
        time.sleep(CALM_SECONDS)
        before = usage(self._pid)
        time.sleep(IDLE_SECONDS)
        after = usage(self._pid)
        seconds = after.at - before.at
        report(
            f"at rest for {seconds:.0f} s:"
            f" {100 * (after.cpu - before.cpu) / seconds:.2f} % of a core,"
            f" {(after.switches - before.switches) / seconds:.0f} wake-ups/s;"
            f" {self._memory()}"
        )
        taken = []
        for _ in range(SCRAPES):
            begin = time.monotonic()
            self._get("/metrics").raise_for_status()
            taken.append(time.monotonic() - begin)
        report(f"a scrape of /metrics: {statistics.median(taken):.2f} s")

    def approve(self) -> None:
        """Approve some, one after the other."""
        taken = []
        for number in range(APPROVALS):
            name = f"e{number * self._count // APPROVALS}"
            environment = environment_id(REPOSITORY, EnvironmentName(name))
            with self._reading() as reader:
                commit = reader.revisions(environment)[0].commit
            path = f"envs/{name}/approvals.yaml"
            self._remote.work.commit({path: approval(commit, "go-live", by=ANN)})
            begin = time.monotonic()
            self._remote.work.push()
            self._until(lambda e=environment: self._succeeded(e), "it to end", 0.01)
            taken.append(time.monotonic() - begin)
        report(
            f"one approval, from before git push to the end of the run: median"
            f" {statistics.median(taken):.2f} s, most {max(taken):.2f} s;"
            f" {self._memory()}"
        )

    def close(self) -> None:
        """End the daemon."""
        self._daemon.close()

    @property
    def _pid(self) -> int:
        assert self._daemon.process is not None
        return self._daemon.process.pid

    def _memory(self) -> str:
        status = Path(f"/proc/{self._pid}/status").read_text()
        now, most = (
            int(re.search(rf"{key}:\s+(\d+)", status)[1]) / 1024
            for key in ("VmRSS", "VmHWM")
        )
        return f"{now:.0f} MB, at most {most:.0f} MB"

    def _get(self, path: str) -> httpx.Response:
        url = re.findall(r'"url": "(http[^"]+)"', self._daemon.log)
        try:
            return httpx.get(f"{url[-1]}{path}", timeout=60)
        except (IndexError, httpx.TransportError):
            return httpx.Response(503)

    def _suspended(self) -> int:
        with self._reading() as reader:
            query = text("SELECT count(*) FROM run WHERE payload LIKE :phase")
            rows = reader.connection.execute(query, {"phase": '%"Suspended"%'})
            return rows.scalar_one()

    def _succeeded(self, environment: EnvironmentId) -> bool:
        with self._reading() as reader:
            return reader.runs(environment, limit=1)[0].phase is Phase.SUCCEEDED

    @contextmanager
    def _reading(self) -> Iterator:
        store = open_for_reading(self._store)
        try:
            with store.read() as reader:
                yield reader
        finally:
            store.close()

    def _until(self, look: Callable[[], bool], what: str, pause: float) -> None:
        waiting = threading.Event()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                if look():
                    return
            except GitOpsError:
                pass  # the store is just being made
            waiting.wait(pause)
        sys.exit(f"waited in vain for {what}\n{self._daemon.log[-4000:]}")


def measure(name: str, store: Callable[[Path], str], count: int) -> None:
    """Make, start anew, rest, approve."""
    report(f"{name}, {count} environments; {load()}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        remote = stack.enter_context(served(folder, "path"))
        remote.work.push_commit({"README.md": "Many environments.\n"})
        files = {f"envs/e{n}/workflow.yaml": WORKFLOW for n in range(count)}
        remote.work.commit(files, "All of them")
        remote.work.push()
        bench = Bench(folder, remote, store(folder), count)
        stack.callback(bench.close)
        bench.make()
        bench.restart()
        bench.rest()
        bench.approve()
        report(load())


def main() -> None:
    """Measure both databases."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ENVIRONMENTS
    only = os.environ.get("ONLY", "")
    if only != "postgresql":
        measure("SQLite", lambda folder: str(folder / "store.db"), count)
    if only == "sqlite":
        return
    with postgres_server() as server, server.database() as location:
        measure("PostgreSQL", lambda _: location, count)


if __name__ == "__main__":
    main()
