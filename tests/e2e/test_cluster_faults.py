"""API servers that hang, break and come back, and what the daemon goes on doing.

What one answer means is proven at the adapter (tests/contract/test_cluster_errors.py);
here it is the process, with a proxy before the sandbox that plays the sick server.
"""

import json
from functools import partial
from pathlib import Path

import pytest

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.adapters.sql_store import open_for_reading
from gitops_wf.core.errors import GitOpsError
from gitops_wf.core.identifiers import environment_name
from gitops_wf.core.run import StepRun
from gitops_wf.ports.cluster import CONFIG_MAP
from gitops_wf.sandbox import process as sandbox_process
from tests.daemons import DaemonProcess, cli, eventually
from tests.faultproxy import FaultProxy
from tests.gitworktree import GitWorkTree, bare_repository

PLACES = 5
"""Places that one target has among all that is carried out at once."""


def environment(target: str, **step: object) -> dict[str, object]:
    deploy = {"name": "deploy", "type": "deploy2env", "properties": {"target": target}}
    return {
        "apiVersion": "gitops-wf.io/v1alpha1",
        "kind": "Workflow",
        "steps": [deploy | step],
    }


def config_map(name: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"value": "1"},
    }


def deployment(name: str, delay: str) -> dict[str, object]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {"sandbox.gitops-wf.io/delay": delay},
                },
                "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
            },
        },
    }


class World:
    """A daemon, its sandbox, a proxy before it, and a repository."""

    def __init__(self, folder: Path) -> None:
        (folder / "daemon").mkdir()
        self.folder = folder
        config = folder / "daemon" / "gitops-wf.yaml"
        self.daemon = DaemonProcess(folder / "daemon", config)
        self.daemon.sandbox.parent.mkdir()
        self.sandbox = sandbox_process.start(self.daemon.sandbox)
        cluster = KubeCluster(kubeconfig_access(self.sandbox.kubeconfig))
        for namespace in ("sick", "good"):
            cluster.apply(
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": namespace},
                }
            )
        self.proxy = FaultProxy(self.daemon.sandbox, self.sandbox.url)
        bare = bare_repository(folder / "shop.git")
        self.work = GitWorkTree.init(folder / "work", remote=str(bare))

    def configure(self, *lanes: str, **more: object) -> None:
        """Targets: each lane of the proxy, and the sandbox itself as ``good``."""
        good = str(self.sandbox.kubeconfig)
        targets = {"good": {"kubeconfig": good, "namespace": "good"}}
        for lane in lanes:
            path = self.proxy.kubeconfig(lane, self.folder / f"{lane}.kubeconfig")
            targets[lane] = {"kubeconfig": str(path), "namespace": "sick"}
        url = str(self.folder / "shop.git")
        config = {
            "repositories": {"shop": {"url": url}},
            "targets": targets,
            "concurrency": {"perTarget": PLACES},
            **more,
        }
        self.daemon.config.write_text(json.dumps(config))

    def push(self, **environments: tuple[dict[str, object], dict[str, object]]) -> None:
        """Commit environments: each its workflow and its one object."""
        files = {}
        for name, (workflow, thing) in environments.items():
            files[f"envs/{name}/workflow.yaml"] = json.dumps(workflow)
            files[f"envs/{name}/object.yaml"] = json.dumps(thing)
        self.work.push_commit(files)

    def edit(self, namespace: str, name: str, value: str) -> None:
        """Change a live ConfigMap as somebody would with kubectl."""
        cluster = KubeCluster(kubeconfig_access(self.sandbox.kubeconfig))
        found = cluster.get(CONFIG_MAP, namespace, name)
        assert found is not None
        cluster.replace({**found, "data": {"value": value}})

    def describes(self, name: str, *words: str) -> str:
        """Wait until `describe` says all this of an environment; return it."""

        def look() -> str:
            done = cli(
                *("describe", name, "--config", str(self.daemon.config)),
                cwd=self.daemon.folder,
            )
            text = " ".join(done.stdout.split())
            return text if all(word in text for word in words) else ""

        return eventually(look, what=f"describe {name} to say {words}")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    try:
        with made.proxy:
            yield made
    finally:
        made.daemon.close()


def steps(world: World) -> list[tuple[str, StepRun]]:
    """The steps of all runs, each with the name of its environment."""
    try:
        store = open_for_reading(world.daemon.store)
    except GitOpsError:
        return []  # it is just being made
    try:
        with store.read() as reader:
            runs = reader.runs()
    finally:
        store.close()
    return [(environment_name(r.subject.environment), s) for r in runs for s in r.steps]


def running(world: World, names: list[str]) -> int:
    """How many of these environments have an attempt that is being carried out."""
    return sum(bool(step.token) for name, step in steps(world) if name in names)


def said_of(world: World, name: str) -> str:
    """What the store says of an environment's step, as `describe` prints it."""
    return next((step.message for other, step in steps(world) if other == name), "")


def test_a_server_that_hangs_takes_its_own_places_only_and_not_the_end(world):
    """Twenty environments on it; they lose nothing when it answers again."""
    many = [f"e{number}" for number in range(20)]
    world.configure("sick")
    world.push(good=(environment("good"), config_map("good")))
    world.daemon.start()
    world.daemon.reaches("good", ["Succeeded"])
    world.proxy.faults["sick"] = "hang"
    world.push(**{name: (environment("sick"), config_map(name)) for name in many})
    eventually(lambda: running(world, many), what="one of them to wait for it")

    world.push(good=(environment("good"), config_map("better")))
    world.daemon.reaches("good", ["Succeeded", "Succeeded"])

    # One asks which kinds there are, and others of its places wait for that; once it
    # is known to hang no more begin.
    assert 1 <= world.proxy.waiting <= PLACES
    assert 1 <= running(world, many) <= PLACES
    assert world.daemon.stop() == 0
    eventually(lambda: world.proxy.waiting == 0, what="nobody to wait any more")
    assert "Traceback" not in world.daemon.log

    world.proxy.faults.clear()
    world.daemon.start()
    for name in many:
        world.daemon.reaches(name, ["Succeeded"])
    found = world.daemon.read("/api/v1/namespaces/sick/configmaps")["items"]
    assert {item["metadata"]["name"] for item in found} >= set(many)


FAULTS = {
    "broken": (500, "cannot"),
    "away": (503, "cannot"),
    "busy": (429, "cannot"),
    "cut": ("reset", "unreachable: connection broke"),
}
"""By lane of the proxy: its fault, and what is said of the server."""


def test_each_fault_is_tried_again_and_says_which_server_and_what_to_do(world):
    world.configure(*FAULTS, "expired")
    for lane, (fault, _) in FAULTS.items():
        world.proxy.faults[lane] = fault
    world.proxy.retry_after = 2
    kubeconfig = world.folder / "expired.kubeconfig"
    world.proxy.kubeconfig("expired", kubeconfig, token="of-yesterday")
    brief = environment("away", timeout="3s")
    world.push(good=(environment("good"), config_map("good")))
    world.daemon.start()
    world.daemon.reaches("good", ["Succeeded"])
    world.push(
        **{lane: (environment(lane), config_map(lane)) for lane in FAULTS},
        expired=(environment("expired"), config_map("expired")),
        brief=(brief, config_map("brief")),
    )

    for lane, (_, words) in FAULTS.items():
        said = f"API server {world.proxy.url(lane)} {words}"
        told = eventually(partial(said_of, world, lane), what=f"{lane} to be tried")
        assert told.startswith(said)
        assert "; try " in told
        assert " of 11 in " in told
    told = world.describes("expired", "credentials not accepted (401 Unauthorized)")
    assert f"API server {world.proxy.url('expired')}: credentials" in told
    assert "renew it in the kubeconfig, which is read again at each try" in told
    # Its own time ends it, and not to know is not a no.
    world.daemon.reaches("brief", ["Errored/Timeout"])
    told = world.describes("brief", "Timeout", "not done after 3s")
    assert "etcdserver: leader changed" in told

    world.proxy.faults.clear()
    world.proxy.kubeconfig("expired", kubeconfig)
    for name in [*FAULTS, "expired"]:
        world.daemon.reaches(name, ["Succeeded"])
    assert world.daemon.phases("brief") == ["Errored/Timeout"]
    assert "Traceback" not in world.daemon.log


def test_a_server_that_restarts_in_mid_run_is_looked_at_again(world):
    world.configure()
    world.push(good=(environment("good"), deployment("web", "4s")))
    world.daemon.start()
    world.describes("good", "waiting for Deployment/good/web")

    sandbox_process.stop(world.daemon.sandbox)
    told = world.describes("good", "cannot look: ")
    sandbox_process.start(world.daemon.sandbox)

    url = world.sandbox.url
    assert f"API server {url} unreachable: connection failed" in told
    assert "is it up, and its address right in the kubeconfig?" in told
    world.daemon.reaches("good", ["Succeeded"])
    writes = [
        w for w in world.daemon.writes("/deployments/web") if w["method"] != "GET"
    ]
    assert len([w for w in writes if "gitops" in str(w)]) <= 1


def test_a_server_that_restarts_in_the_middle_of_an_apply_gets_all_of_it(world):
    names = {f"cm-{number}" for number in range(40)}
    things = {"apiVersion": "v1", "kind": "List"}
    world.configure("lane")
    world.push(
        many=(environment("lane"), things | {"items": list(map(config_map, names))})
    )
    writes: list[str] = []

    def stop_at_the_tenth(_lane: str, method: str) -> None:
        if method == "PATCH":
            with world.proxy.lock:
                writes.append(method)
                is_tenth = len(writes) == 10
            if is_tenth:
                sandbox_process.stop(world.daemon.sandbox)

    world.proxy.before = stop_at_the_tenth
    world.daemon.start()
    told = eventually(lambda: said_of(world, "many"), what="the fault to be told")
    assert "unreachable: connection broke" in told
    assert "applied before: " in told
    written = len(writes)

    sandbox_process.start(world.daemon.sandbox)
    world.daemon.reaches("many", ["Succeeded"])

    found = world.daemon.read("/api/v1/namespaces/sick/configmaps")["items"]
    assert {item["metadata"]["name"] for item in found} >= names
    # What was applied before is not written again.
    assert len(writes) < written + len(names)
    assert "Traceback" not in world.daemon.log
