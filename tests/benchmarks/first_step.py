"""How soon a push is acted on: python -m tests.benchmarks.first_step [PUSHES [IDLE]].

Starts the real daemon on a local bare repository and pushes to it, one commit after
the other. The bound is a bare `git fetch` of the same commit, timed beside each push.
Prints figures, asserts nothing.

The target is a folder, so that no second process of ours (the sandbox) competes with
the daemon for the machine. Two witnesses say when the first step started: the store,
where the step's start is written, and the file that the step leaves in the folder,
whose time the kernel gives. Every time is of the one clock of the machine.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gitops_wf.bootstrap.configs import load_config
from gitops_wf.bootstrap.looking import open_query
from gitops_wf.cli.table import Table, print_table
from gitops_wf.core.run import Run
from tests.benchmarks.processes import Usage, usage
from tests.contract.git_remotes import Served, served
from tests.daemons import DaemonProcess, eventually
from tests.gitworktree import git_env

PUSHES = 20
IDLE_SECONDS = 30.0
CALM_SECONDS = 5.0
"""For what the daemon does once after a start or a run; not yet idle."""
PATIENCE = 60.0

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: deploy, type: deploy2env, properties: {target: disk}}
"""
CONFIG = """\
instance: benchmark
repositories:
  shop: {{url: {url}, interval: 30s}}
targets:
  disk: {{directory: {target}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """When things happened to one commit; milliseconds after its `git push` returned.

    The branch moves before `git push` returns, so what follows may be negative.
    """

    ref: float
    noticed: float
    started: float
    applied: float
    ended: float
    fetch: float


class Bench:
    """A daemon, the repository that it watches, and a clone to fetch into."""

    def __init__(self, folder: Path, remote: Served, daemon: DaemonProcess) -> None:
        self._folder = folder
        self._remote = remote
        self._daemon = daemon
        self._clone = folder / "bare-fetch.git"
        git(folder, "init", "-q", "--bare", str(self._clone))
        self._number = 0

    def push(self) -> Push:
        """Push one commit and follow it to the end of its run."""
        work = self._remote.work
        self._number += 1
        files = {"envs/web/web.yaml": config_map(self._number)}
        if self._number == 1:
            files["envs/web/workflow.yaml"] = WORKFLOW
        work.commit(files, f"Change {self._number}")
        work.push()
        pushed = time.time()
        run, revision_created = self._ended_run()
        ref = self._remote.bare / "refs" / "heads" / "main"
        (applied,) = self._folder.glob("target/*/configmap-web.yaml")
        started = run.steps[0].started
        assert started is not None
        assert run.ended is not None

        def after(moment: float) -> float:
            return 1000 * (moment - pushed)

        return Push(
            ref=after(ref.stat().st_mtime),
            noticed=after(revision_created),
            started=after(started.timestamp()),
            applied=after(applied.stat().st_mtime),
            ended=after(run.ended.timestamp()),
            fetch=self._fetch(),
        )

    def _ended_run(self) -> tuple[Run, float]:
        """Wait for the newest revision's run; looks seldom, not to disturb it."""
        pause = threading.Event()
        config = load_config(self._daemon.config)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            pause.wait(0.25)
            with ExitStack() as stack:
                store = open_query(config)
                stack.callback(store.close)
                reader = stack.enter_context(store.read())
                revisions = reader.revisions(limit=1)
                if not revisions or revisions[0].number != self._number:
                    continue
                runs = reader.runs(environment=revisions[0].environment, limit=1)
                if runs and runs[0].phase.is_final:
                    return runs[0], revisions[0].created.timestamp()
        sys.exit(f"push {self._number} is not done\n{self._daemon.log[-4000:]}")

    def _fetch(self) -> float:
        """Milliseconds that `git fetch` of the same commit takes."""
        begin = time.perf_counter()
        git(self._clone, "fetch", "-q", str(self._remote.bare), "main:main")
        return 1000 * (time.perf_counter() - begin)


def git(folder: Path, *arguments: str) -> None:
    """Run one git command."""
    subprocess.run(["git", *arguments], cwd=folder, env=git_env(), check=True)


def config_map(value: int) -> str:
    """A manifest that is new with each value."""
    return f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: web}}
data: {{value: '{value}'}}
"""


def row(name: str, figures: Sequence[float]) -> tuple[str, ...]:
    """A line of the table: median, ninth decile, least and most."""
    p90 = statistics.quantiles(figures, n=10, method="inclusive")[-1]
    parts = (statistics.median(figures), p90, min(figures), max(figures))
    return (name, *(f"{part:.0f}" for part in parts))


def print_pushes(pushes: Sequence[Push]) -> None:
    """Print when things happened, beside the bound."""
    since_ref = [push.started - push.ref for push in pushes]
    fetches = [push.fetch for push in pushes]
    rows = [
        row("bare git fetch", fetches),
        row("ref update to revision made", [p.noticed - p.ref for p in pushes]),
        row("ref update to first step started", since_ref),
        row("ref update to object written", [p.applied - p.ref for p in pushes]),
        row("ref update to run ended", [p.ended - p.ref for p in pushes]),
        row("git push returned to first step started", [p.started for p in pushes]),
    ]
    headers = (f"MILLISECONDS, {len(pushes)} PUSHES", "MEDIAN", "P90", "MIN", "MAX")
    print_table(Table(headers=headers, rows=rows))
    bound, median = statistics.median(fetches), statistics.median(since_ref)
    report(
        f"first step started {median - bound:.0f} ms over a bare git fetch,"
        f" {median / bound:.1f} times it"
    )


def print_idle(before: Usage, after: Usage) -> None:
    """Print what the daemon takes while nothing happens."""
    seconds = after.at - before.at
    report(
        f"idle for {seconds:.0f} s: {100 * (after.cpu - before.cpu) / seconds:.2f} % of"
        f" a core, {(after.switches - before.switches) / seconds:.0f} wake-ups/s;"
        f" {after.memory / 2**20:.0f} MB, {after.threads} threads,"
        f" {after.processes} processes"
    )


def report(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def load() -> str:
    """How busy the machine is: figures without it say little."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def main() -> None:
    """Measure pushes, then idleness."""
    pushes = int(sys.argv[1]) if len(sys.argv) > 1 else PUSHES
    idle = float(sys.argv[2]) if len(sys.argv) > 2 else IDLE_SECONDS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        remote = stack.enter_context(served(folder, "path"))
        target = folder / "target"
        target.mkdir()
        config = folder / "gitops-wf.yaml"
        config.write_text(CONFIG.format(url=remote.url, target=target))
        daemon = DaemonProcess(folder, config, is_forked=False)
        stack.callback(daemon.close)
        daemon.start()
        assert daemon.process is not None
        eventually(lambda: "daemon.started" in daemon.log, what="the daemon to start")
        bench = Bench(folder, remote, daemon)
        report(load())
        bench.push()  # the first fills caches, and is no common case
        time.sleep(CALM_SECONDS)
        print_pushes([bench.push() for _ in range(pushes)])
        time.sleep(CALM_SECONDS)
        before = usage(daemon.process.pid)
        time.sleep(idle)
        print_idle(before, usage(daemon.process.pid))
        report(load())


if __name__ == "__main__":
    main()
