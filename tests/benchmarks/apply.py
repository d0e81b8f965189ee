"""How long an environment of 1,000 objects takes to apply, beside `kubectl apply`.

    python -m tests.benchmarks.apply [--objects 1000] [--rounds 3] [--profile FILE]

Half of the objects are ConfigMaps, half Deployments as people write them. Each round
applies them for the first time, and twice again unchanged, to a namespace of their own:
by `kubectl apply --server-side`, and by what `deploy2env` does in an attempt (render,
inventory, LISTs, writes), who goes first changing from round to round. Last, kubectl
applies once more, beside what the daemon does on each interval to see that nothing has
drifted.

With KUBEBUILDER_ASSETS (etcd, kube-apiserver, and kubectl unless it is on PATH) the
server is a real one, and times are printed; else it is the sandbox, where only requests
and bytes count. These are counted by a proxy, in a round of its own.
"""

import argparse
import contextlib
import cProfile
import os
import pstats
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF
from typing import Any

import yaml

from gitops_wf.bootstrap.process import begin_long_life
from gitops_wf.core.changeset import ChangeSet
from gitops_wf.steps.deploy2env import STEP_TYPE
from tests import sandbox_process
from tests.apiserver import real_api_server
from tests.benchmarks.processes import usage
from tests.delivering import World
from tests.faultproxy import FaultProxy

FILES = 10
Pair = tuple[Callable[[], Any], Callable[[], Any]]
"""An apply, and a look whether anything has drifted."""

COLUMNS = ("first", "unchanged", "drift look")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", type=Path)
    arguments = parser.parse_args()
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    kubectl = shutil.which("kubectl", path=f"{assets or ''}:{os.environ['PATH']}")
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder), assets) as home:
        bench = Bench(Path(folder), home / "kubeconfig", kubectl, arguments.objects)
        kind = "a real API server" if assets else "the sandbox"
        _say(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {kind}")
        bench.count(home)
        if assets:
            bench.time(arguments.rounds)
        if arguments.profile:
            bench.profile(arguments.profile)


@contextlib.contextmanager
def _server(folder: Path, assets: str | None) -> Iterator[Path]:
    """Run an API server; gives the folder with its kubeconfig and certificate."""
    if assets:
        with real_api_server(Path(assets)) as kubeconfig:
            yield kubeconfig.parent
    else:
        home = folder / "sandbox"
        home.mkdir()
        with sandbox_process.running(home):
            yield home


class Bench:
    """The objects, and who applies them where."""

    def __init__(
        self, folder: Path, kubeconfig: Path, kubectl: str | None, objects: int
    ) -> None:
        self._folder = folder
        self._kubeconfig = kubeconfig
        self._kubectl = kubectl
        self._size = objects
        self._objects = [
            make(number) for number in range(objects // 2) for make in (_map, _web)
        ]
        self._namespaces = 0
        self._manifests = folder / "manifests"
        self._manifests.mkdir()
        for number in range(FILES):
            part = yaml.safe_dump_all(self._objects[number::FILES])
            (self._manifests / f"{number}.yaml").write_text(part)

    def count(self, home: Path) -> None:
        """Print requests and bytes sent of one first and one unchanged apply."""
        address = yaml.safe_load(self._kubeconfig.read_text())
        server = address["clusters"][0]["cluster"]["server"]
        titles = "".join(f"{title:>16}" for title in COLUMNS)
        _say(f"{'requests, KiB sent':24}{titles}")
        with FaultProxy(home, server) as proxy:
            for name, make in self._appliers():
                lane = name.replace(" ", "-")
                path = self._folder / f"{lane}.kubeconfig"
                apply, look = make(proxy.kubeconfig(lane, path), self._namespace())
                cells = []
                for act in (apply, apply, look):
                    requests, sent = proxy.requests[lane], proxy.received[lane]
                    act()
                    cells.append(
                        f"{proxy.requests[lane] - requests:>8}"
                        f"{(proxy.received[lane] - sent) / 1024:>8.0f}"
                    )
                _say(f"{name:24}{''.join(cells)}")

    def time(self, rounds: int) -> None:
        """Print the times of each round, and the ratios of their medians."""
        titles = "".join(f"{title:>24}" for title in COLUMNS)
        _say(f"{'seconds: wall, CPU of':24}{titles}{'load':>8}")
        _say(f"{'client and server':24}")
        begin_long_life()
        seen: dict[str, list[list[Spent]]] = defaultdict(list)
        for number in range(rounds):
            appliers = self._appliers()
            for name, make in appliers if number % 2 else reversed(appliers):
                apply, look = make(self._kubeconfig, self._namespace())
                spans = [_timed(apply), _timed(apply)]
                look()  # the first one renders
                spans.append(_timed(look))
                cells = "".join(
                    f"{spent.wall:>8.2f}{spent.client:>8.2f}{spent.server:>8.2f}"
                    for spent in spans
                )
                _say(f"{name:24}{cells}{os.getloadavg()[0]:>8.1f}")
                seen[name].append(spans)
        pairs = list(zip(seen["kubectl"], seen["gitops-wf"], strict=False))
        for place, name in enumerate(COLUMNS if pairs else ()):
            speed = _ratios((a[place].wall, b[place].wall) for a, b in pairs)
            work = _ratios((a[place].cpu, b[place].cpu) for a, b in pairs)
            _say(f"{name}: kubectl takes {speed} times as long, {work} times the CPU")

    def profile(self, path: Path) -> None:
        """Write where the time of an unchanged apply and of a look goes."""
        apply, look = self._ours(self._kubeconfig, self._namespace())
        apply()
        look()
        with path.open("w") as out:
            for act in (apply, look):
                profiler = cProfile.Profile()
                profiler.runcall(act)
                stats = pstats.Stats(profiler, stream=out)
                stats.sort_stats("cumulative").print_stats(60)

    def _appliers(self) -> list[tuple[str, Callable[[Path, str], Pair]]]:
        ours = ("gitops-wf", self._ours)
        return [("kubectl", self._theirs), ours] if self._kubectl else [ours]

    def _namespace(self) -> str:
        """Make a namespace that holds nothing."""
        self._namespaces += 1
        name = f"bench-{self._namespaces}"
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        World(kubeconfig=self._kubeconfig, namespace=name).cluster.create(manifest)
        return name

    def _theirs(self, kubeconfig: Path, namespace: str) -> Pair:
        command = [
            str(self._kubectl),
            # Ours does not read the server's OpenAPI either.
            *("apply", "--server-side", "--validate=false", "--namespace", namespace),
            *("--filename", str(self._manifests)),
        ]
        environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(self._folder)}

        def apply() -> None:
            done = subprocess.run(
                command, env=environment, check=False, capture_output=True, text=True
            )
            if done.returncode:
                sys.exit(done.stderr)
            assert len(done.stdout.splitlines()) == len(self._objects)

        return apply, apply

    def _ours(self, kubeconfig: Path, namespace: str) -> Pair:
        world = World(kubeconfig=kubeconfig, namespace=namespace)
        for path in self._manifests.iterdir():
            world.content.files[f"envs/{world.name}/{path.name}"] = path.read_bytes()

        def apply() -> ChangeSet:
            result = world.attempt(STEP_TYPE, wait=False)
            assert str(result.phase) == "Succeeded", result
            assert str(len(self._objects)) in result.message, result
            return result

        def look() -> None:
            context = world.context(STEP_TYPE, {"wait": False})
            keeper = world.runner(STEP_TYPE)
            found = keeper.compare(context, (), max_age=timedelta())
            assert not found.drifted, found
            assert len(found.health) == len(self._objects)

        return apply, look


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds: by the clock, and of CPU on both sides."""

    wall: float
    client: float
    server: float

    @property
    def cpu(self) -> float:
        """Both sides together, which other work on the machine changes least."""
        return self.client + self.server


def _ratios(pairs: Iterable[tuple[float, float]]) -> str:
    found = sorted(theirs / ours for theirs, ours in pairs)
    return f"{statistics.median(found):.1f} ({found[0]:.1f} to {found[-1]:.1f})"


def _timed(apply: Callable[[], Any]) -> Spent:
    begun, before, all_before = time.perf_counter(), _client(), usage(os.getpid()).cpu
    apply()
    wall = time.perf_counter() - begun
    client, everybody = _client() - before, usage(os.getpid()).cpu - all_before
    return Spent(wall=wall, client=client, server=max(everybody - client, 0))


def _client() -> float:
    """Seconds of CPU of this process and of the children that have ended: kubectl."""
    spent = [resource.getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def _map(number: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"app-{number}", "labels": {"app": f"app-{number}"}},
        "data": {
            "LOG_LEVEL": "info",
            "app.properties": f"number={number}\n" + "feature.enabled=true\n" * 20,
        },
    }


def _web(number: int) -> dict[str, Any]:
    labels = {"app": f"app-{number}"}
    container = {
        "name": "web",
        "image": f"registry.example.com/app:{number}",
        "ports": [
            {"name": "http", "containerPort": 8080},
            {"name": "metrics", "containerPort": 9090},
        ],
        "env": [
            {"name": "PORT", "value": "8080"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            *({"name": f"SETTING_{key}", "value": str(key)} for key in range(6)),
        ],
        "envFrom": [{"configMapRef": {"name": f"app-{number}"}}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "256Mi"},
        },
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "http"},
            "periodSeconds": 5,
        },
        "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}},
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/app"}],
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"app-{number}", "labels": labels},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [container],
                    "volumes": [
                        {"name": "settings", "configMap": {"name": f"app-{number}"}}
                    ],
                },
            },
        },
    }


if __name__ == "__main__":
    main()
