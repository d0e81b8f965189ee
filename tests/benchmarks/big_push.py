"""How the daemon lives through one push of very many commits.

    python -m tests.benchmarks.big_push [COMMITS] [--commits latest|every|strict]

Starts the daemon as a process, pushes COMMITS commits at once to one repository, and
asks it for /healthz all the while; another repository gets a commit as soon as the
first batch is stored. Prints what that took. A test runs the same with few commits.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gitops_wf.adapters.sql_store import open_for_reading
from gitops_wf.core.identifiers import EnvironmentName, RepositoryName, environment_id
from tests.daemons import DaemonProcess, eventually
from tests.gitworktree import GitWorkTree, bare_repository

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: say, type: print-message-in-status, properties: {message: hello}}
"""
ENVIRONMENT = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Environment
"""
BIG = environment_id(RepositoryName("big"), EnvironmentName("big"))


@dataclass
class Figures:
    """What was seen from outside."""

    commits: int
    outcomes: Counter[str] = field(default_factory=Counter)
    taken_in: float = 0.0
    ended: float = 0.0
    peak_mib: float = 0.0
    answers: int = 0
    slowest: float = 0.0
    bad_answers: int = 0
    behind: int = 0
    """Revisions of the big push that were yet to come when the other one was done."""


class Prober(threading.Thread):
    """Asks for /healthz again and again, and notes the daemon's memory."""

    def __init__(self, url: str, pid: int, figures: Figures) -> None:
        super().__init__(daemon=True)
        self._url, self._pid, self._figures = url, pid, figures
        self.is_over = threading.Event()

    def run(self) -> None:
        figures = self._figures
        with httpx.Client(timeout=60) as client:
            while not self.is_over.wait(0.1):
                began = time.perf_counter()
                status = client.get(f"{self._url}/healthz").status_code
                figures.slowest = max(figures.slowest, time.perf_counter() - began)
                figures.answers += 1
                figures.bad_answers += status != 200
                text = Path(f"/proc/{self._pid}/status").read_text()
                peak = next(x for x in text.splitlines() if x.startswith("VmHWM"))
                figures.peak_mib = int(peak.split()[1]) / 1024


def big_push(folder: Path, commits: int, policy: str, patience: float = 60) -> Figures:
    """Push, and watch until every revision has ended."""
    figures = Figures(commits)
    works = {}
    for name in ("big", "other"):
        bare = bare_repository(folder / f"{name}.git")
        works[name] = GitWorkTree.init(folder / f"{name}-work", remote=str(bare))
        extra = f"commits: {policy}\n" if name == "big" else ""
        works[name].push_commit(
            {
                f"envs/{name}/workflow.yaml": WORKFLOW,
                f"envs/{name}/environment.yaml": ENVIRONMENT + extra,
            }
        )
    (folder / "daemon").mkdir()
    config = folder / "daemon" / "gitops-wf.yaml"
    repositories = {n: {"url": str(folder / f"{n}.git")} for n in works}
    config.write_text(
        json.dumps({"server": "127.0.0.1:0", "repositories": repositories})
    )
    daemon = DaemonProcess(folder / "daemon", config, is_forked=False)
    try:
        daemon.start()
        for name in works:
            daemon.reaches(name, ["Succeeded"])
        _watched(daemon, works, figures, patience)
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log
    finally:
        daemon.close()
    return figures


def _watched(
    daemon: DaemonProcess,
    works: dict[str, GitWorkTree],
    figures: Figures,
    patience: float,
) -> None:
    url = eventually(lambda: _address(daemon), what="the server's address")
    assert daemon.process is not None
    prober = Prober(url, daemon.process.pid, figures)
    store = open_for_reading(daemon.store)

    def made() -> int:
        with store.read() as reader:
            record = reader.environment(BIG)
        return record.last_number - 1 if record else 0

    def is_over() -> bool:
        with store.read() as reader:
            return not reader.line(BIG)

    try:
        works["big"].import_commits(
            [("envs/big/cm.yaml", f"a: {n}\n") for n in range(figures.commits)]
        )
        prober.start()
        began = time.perf_counter()
        works["big"].push()
        eventually(made, what="the first batch", patience=patience)
        works["other"].push_commit({"envs/other/cm.yaml": "a: 1\n"})
        daemon.reaches("other", ["Succeeded", "Succeeded"])
        figures.behind = figures.commits - made()
        what = "all to be taken in"
        eventually(lambda: made() >= figures.commits, what=what, patience=patience)
        figures.taken_in = time.perf_counter() - began
        eventually(is_over, what="all to have ended", patience=patience)
        figures.ended = time.perf_counter() - began
    finally:
        prober.is_over.set()
        prober.join()
        store.close()
    figures.outcomes = Counter(daemon.phases("big"))


def _address(daemon: DaemonProcess) -> str:
    lines = [json.loads(x) for x in daemon.log.splitlines() if x.startswith("{")]
    return next((x["url"] for x in lines if x.get("event") == "web.started"), "")


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commits", type=int, nargs="?", default=5000)
    parser.add_argument("--commits", dest="policy", default="latest")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = big_push(Path(folder), arguments.commits, arguments.policy, 3600)
    sys.stdout.write(
        f"{figures.commits} commits, {arguments.policy}: taken in"
        f" {figures.taken_in:.1f} s ({figures.commits / figures.taken_in:.0f}/s), ended"
        f" {figures.ended:.1f} s; peak {figures.peak_mib:.0f} MiB; /healthz"
        f" {figures.answers} times, slowest {figures.slowest:.2f} s,"
        f" {figures.bad_answers} bad; other repository done with {figures.behind}"
        f" commits to go; {dict(figures.outcomes)}\n"
    )


if __name__ == "__main__":
    main()
