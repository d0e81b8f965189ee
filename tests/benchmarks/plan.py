"""How long `gitops-wf plan` takes where a repository has very many environments.

    python -m tests.benchmarks.plan [--environments 1000] [--changed 500] [--profile FILE]

Each environment has four objects, released on the sandbox beforehand, all on one target.
One branch changes all four of many of them, another one object of one of them. Each is
planned by the command as people start it, a process of its own; beside it stands what no
plan can do without: one LIST of each kind, and a dry run of each object that changes, 16
at a time, by the same client. Printed are seconds by the clock, CPU and memory of the
command, and the requests that the sandbox saw.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.core.phases import Phase
from gitops_wf.steps.deploy2env import STEP_TYPE
from tests import sandbox_process
from tests.delivering import World
from tests.gitworktree import GitWorkTree

ENVIRONMENTS, CHANGED, THREADS, WRITERS = 1000, 500, 16, 4
KINDS = ("ConfigMap", "Secret", "Service", "ServiceAccount")
HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=int, default=ENVIRONMENTS)
    parser.add_argument("--changed", type=int, default=CHANGED)
    parser.add_argument("--profile", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        folder = Path(place)
        home = folder / "sandbox"
        home.mkdir()
        with sandbox_process.running(home) as sandbox:
            bench = Bench(folder, sandbox, arguments.environments)
            begun = time.perf_counter()
            bench.release()
            _say(
                f"{arguments.environments} environments of 4 objects, released in"
                f" {time.perf_counter() - begun:.0f} s; {os.cpu_count()} cores,"
                f" load {os.getloadavg()[0]:.1f}"
            )
            _say(f"{'':26}{'seconds':>9}{'CPU':>8}{'MB':>6}{'requests':>10}{'load':>7}")
            few = [bench.names[0]]
            many = bench.names[: arguments.changed]
            bench.compare("one object of one", few, KINDS[:1])
            bench.compare(f"all of {len(many)}", many, KINDS)
            if arguments.profile:
                bench.profile(arguments.profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds by the clock and of CPU, bytes at most, and requests to the server."""

    wall: float
    cpu: float = 0.0
    memory: int = 0
    requests: int = 0

    def row(self, name: str) -> str:
        """Return a line of the table."""
        return (
            f"{name:26}{self.wall:>9.2f}{self.cpu:>8.2f}{self.memory / 2**20:>6.0f}"
            f"{self.requests:>10}{os.getloadavg()[0]:>7.1f}"
        )


class Bench:
    """A repository, its environments, and the server that they are on."""

    def __init__(
        self, folder: Path, sandbox: sandbox_process.Sandbox, environments: int
    ) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self.names = [f"e{number:05}" for number in range(environments)]
        self._work = GitWorkTree.init(folder / "work")
        self._cluster = KubeCluster(kubeconfig_access(sandbox.kubeconfig))
        target = {"kubeconfig": str(sandbox.kubeconfig), "namespace": "eu"}
        config = {
            "instance": "one",
            "repositories": {
                "shop": {"url": str(self._work.path), "targets": ["eu"]},
            },
            "targets": {"eu": target},
            "store": str(folder / "store.db"),
        }
        self._config = folder / "gitops-wf.yaml"
        self._config.write_text(yaml.safe_dump(config))

    def release(self) -> None:
        """Commit every environment, and bring it to the server."""
        self._cluster.create(_thing("Namespace", "eu"))
        files = {}
        for name in self.names:
            files[f"envs/{name}/environment.yaml"] = HEAD
            files[f"envs/{name}/all.yaml"] = _manifests(name, "1", KINDS)
        self._write(files)
        self._work.git("add", "--all")
        self._work.commit()
        with ThreadPoolExecutor(WRITERS) as threads:
            parts = [self.names[number::WRITERS] for number in range(WRITERS)]
            list(threads.map(self._released, parts))

    def compare(self, title: str, names: list[str], kinds: tuple[str, ...]) -> None:
        """Print what the plan of a commit takes, beside the bound."""
        branch = title.replace(" ", "-")
        self._work.branch(branch)
        self._write(
            {f"envs/{n}/all.yaml": _manifests(n, "2", KINDS, kinds) for n in names}
        )
        self._work.git("add", "--all")
        self._work.commit()
        self._work.checkout("main")
        bare = self._counted(lambda: self._bare(names, kinds))
        planned = self._counted(lambda: self._planned(branch))
        for each, name in ((bare, f"{title}: bare"), (planned, f"{title}: plan")):
            _say(each.row(name))
        _say(
            f"plan takes {planned.wall / bare.wall:.1f} times as long as the bare"
            f" requests, and sends {planned.requests / bare.requests:.2f} times as many"
        )

    def profile(self, path: Path) -> None:
        """Write where the time of the larger plan goes."""
        branch = self._work.git("branch", "--list", "all-of-*").strip()
        self._planned(branch, "-m", "cProfile", "-o", str(path))

    def _released(self, names: list[str]) -> None:
        world = World(kubeconfig=self._sandbox.kubeconfig, namespace="eu")
        for name in names:
            world.name = name
            text = _manifests(name, "1", KINDS)
            world.content.files = {f"envs/{name}/all.yaml": text.encode()}
            result = world.attempt(STEP_TYPE, wait=False)
            assert result.phase is Phase.SUCCEEDED, result

    def _write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            file = self._work.path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def _bare(self, names: list[str], kinds: tuple[str, ...]) -> Spent:
        begun = time.perf_counter()
        for kind in (*kinds, "ConfigMap"):
            self._cluster.list(self._cluster.resource("v1", kind), "eu")

        def apply(manifest: dict[str, Any]) -> None:
            self._cluster.apply(manifest, force=True, dry_run=True)

        with ThreadPoolExecutor(THREADS) as threads:
            wanted = [_of(kind, name, "2") for name in names for kind in kinds]
            for each in wanted:
                each["metadata"]["namespace"] = "eu"
            list(threads.map(apply, wanted))
        return Spent(wall=time.perf_counter() - begun)

    def _planned(self, branch: str, *how: str) -> Spent:
        begun = time.perf_counter()
        command = [sys.executable, *how, "-m", "gitops_wf.cli", "plan"]
        child = subprocess.Popen(
            [*command, "--config", str(self._config), "--commit", branch, "-o", "json"],
            cwd=self._work.path,
            stdout=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert how or child.returncode == 1, f"plan ended with {child.returncode}"
        return Spent(
            wall=time.perf_counter() - begun,
            cpu=used.ru_utime + used.ru_stime,
            memory=used.ru_maxrss * 1024,
        )

    def _counted(self, act: Callable[[], Spent]) -> Spent:
        before = self._requests()
        spent = act()
        requests = self._requests() - before
        return Spent(
            wall=spent.wall, cpu=spent.cpu, memory=spent.memory, requests=requests
        )

    def _requests(self) -> int:
        with self._sandbox.log.open("rb") as log:
            return sum(1 for _ in log)


def _manifests(
    name: str, value: str, kinds: tuple[str, ...], changed: tuple[str, ...] = KINDS
) -> str:
    return "---\n".join(
        yaml.safe_dump(_of(kind, name, value if kind in changed else "1"))
        for kind in kinds
    )


def _of(kind: str, name: str, value: str) -> dict[str, Any]:
    """An object of an environment, with a value that changes."""
    made = _thing(kind, f"{name}-{kind.lower()}", annotations={"value": value})
    match kind:
        case "ConfigMap":
            made["data"] = {"value": value, "settings": "on=true\n" * 20}
        case "Secret":
            made["stringData"] = {"password": "not-a-real-one"}
        case "Service":
            made["spec"] = {"ports": [{"port": 80}], "selector": {"app": name}}
    return made


def _thing(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
