"""The manifests: real kubectl renders and applies them, and their rights are enough."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from gitops_wf.bootstrap.configs import load_config
from gitops_wf.core.config import TargetKind
from gitops_wf.sandbox import process as sandbox_process
from tests.daemons import COMMAND, KUBECTL, DaemonProcess, environment
from tests.gitserver import GitHttpServer, GitWorkTree, bare_repository

BASE = Path(__file__).parents[2] / "manifests" / "base"

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: deploy, type: deploy2env, properties: {target: here}}
  - name: seed
    type: run-job
    properties: {image: 'busybox:1', target: here, envFrom: [{secret: app}]}
"""


def rendered() -> list[dict]:
    done = kubectl("kustomize", str(BASE))
    return list(yaml.safe_load_all(done))


def kubectl(*arguments: str, kubeconfig: Path | None = None, stdin: str = "") -> str:
    env = environment(HOME="/nonexistent")
    env |= {"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}
    done = subprocess.run(
        [KUBECTL, *arguments],
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_kind(kind: str) -> list[dict]:
    return [each for each in rendered() if each["kind"] == kind]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    folder = tmp_path_factory.mktemp("manifests") / "sandbox"
    yield sandbox_process.start(folder)
    sandbox_process.stop(folder)


def test_all_of_it_is_accepted_and_the_daemon_becomes_available(sandbox):
    apply = ["apply", "--server-side", "--validate=strict", "-k", str(BASE)]
    kubectl(*apply, kubeconfig=sandbox.kubeconfig)

    waiting = ["rollout", "status", "deployment/gitops-wf", "-n", "gitops-wf"]
    told = kubectl(*waiting, "--timeout=50s", kubeconfig=sandbox.kubeconfig)
    assert "successfully rolled out" in told


def test_the_daemon_config_in_it_is_valid(tmp_path):
    [config_map] = of_kind("ConfigMap")
    file = tmp_path / "gitops-wf.yaml"
    file.write_text(config_map["data"]["gitops-wf.yaml"])

    config = load_config(file)

    [target] = config.targets.values()
    assert target.kind is TargetKind.IN_CLUSTER
    bound = {each["metadata"]["namespace"] for each in of_kind("RoleBinding")}
    assert set(target.namespaces or ()) == bound
    [deployment] = of_kind("Deployment")
    pod = deployment["spec"]["template"]["spec"]
    [daemon] = pod["containers"]
    data = Path(daemon["workingDir"])
    assert Path(config.directory) == data
    assert Path(urlsplit(config.store).path.replace("//", "/")).parent == data
    assert int(config.server.rpartition(":")[2]) == daemon["ports"][0]["containerPort"]


def test_the_pod_keeps_the_restricted_profile_and_writes_to_volumes_only():
    [deployment] = of_kind("Deployment")
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    [daemon] = pod["containers"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert daemon["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
    assert daemon["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert daemon["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert daemon["resources"]["requests"]
    writable = [m for m in daemon["volumeMounts"] if not m.get("readOnly")]
    assert {m["mountPath"] for m in writable} == {daemon["workingDir"], "/tmp"}


def test_no_secret_stands_in_it_and_nothing_holds_in_the_whole_cluster():
    kinds = {each["kind"] for each in rendered()}

    assert not kinds & {"Secret", "ClusterRoleBinding"}
    for role in of_kind("ClusterRole"):
        for rule in role["rules"]:
            assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}


# --- the rights, by what a daemon really asks for ---


def asked(line: dict) -> tuple[str, str, str] | None:
    """The verb, group and resource of a request (kubernetes.io: request verbs)."""
    parts = urlsplit(line["path"])
    path = [part for part in parts.path.split("/") if part]
    if path[0] == "api":
        group, rest = "", path[2:]
    elif path[0] == "apis" and len(path) > 2:
        group, rest = path[1], path[3:]
    else:
        return None
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    if not rest:
        return None  # discovery: every ServiceAccount may
    resource = "/".join([rest[0], *rest[2:3]])
    is_named = len(rest) > 1
    watches = "watch" in parse_qs(parts.query)
    reading = "get" if is_named else "watch" if watches else "list"
    verbs = {"GET": reading, "POST": "create", "PUT": "update", "PATCH": "patch"}
    return verbs.get(line["method"], "delete"), group, resource


@contextmanager
def shop(tmp_path: Path) -> Iterator[tuple[GitWorkTree, str]]:
    """A repository over HTTP, which does not care whose files they are."""
    root = tmp_path / "srv"
    bare = bare_repository(root / "shop.git")
    work = GitWorkTree.init(tmp_path / "work", remote=str(bare))
    with GitHttpServer(root) as server:
        yield work, server.url(bare)


def object_(kind: str, name: str, version: str = "v1", **fields) -> dict:
    head = {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
    return head | fields


def release() -> list[dict]:
    labels = {"app": "web"}
    container = {"name": "web", "image": "nginx:1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return [
        object_("ConfigMap", "app", data={"a": "b"}),
        object_("ConfigMap", "goes", data={"a": "b"}),
        object_("Secret", "app", stringData={"a": "b"}),
        object_("ServiceAccount", "app"),
        object_("Service", "web", spec={"selector": labels, "ports": [{"port": 80}]}),
        object_("Deployment", "web", "apps/v1", spec=spec),
        object_("StatefulSet", "db", "apps/v1", spec={**spec, "serviceName": "db"}),
    ]


def folder(*manifests: dict) -> str:
    return "\n---\n".join(json.dumps(manifest) for manifest in manifests)


def test_the_rights_are_enough_for_every_request_of_the_daemon(tmp_path):
    with shop(tmp_path) as (work, url):
        config = tmp_path / "daemon" / "gitops-wf.yaml"
        config.parent.mkdir()
        config.write_text(
            f"repositories: {{shop: {{url: {url}, interval: 1s, allowHttp: true}}}}\n"
            "targets: {here: {sandbox: true, namespace: shop}}\n"
        )
        daemon = DaemonProcess(config.parent, config)
        try:
            daemon.start()
            first = release()
            work.push_commit(
                {
                    "envs/web/workflow.yaml": WORKFLOW,
                    "envs/web/app.yaml": folder(*first),
                }
            )
            daemon.reaches("web", ["Succeeded"])
            less = [each for each in first if each["metadata"]["name"] != "goes"]
            work.push_commit({"envs/web/app.yaml": folder(*less)})
            daemon.reaches("web", ["Succeeded", "Succeeded"])
            container = less[-2]["spec"]["template"]["spec"]["containers"][0]
            container["image"] = "broken:1"
            work.push_commit({"envs/web/app.yaml": folder(*less)})
            daemon.reaches("web", ["Succeeded"] * 2 + ["Failed/HealthCheckFailed"])
            log = (daemon.sandbox / "requests.log").read_text()
        finally:
            daemon.close()
    lines = [json.loads(line) for line in log.splitlines()]
    ours = [line for line in lines if line["userAgent"].startswith("gitops-wf/")]
    needed = {found for line in ours if (found := asked(line)) is not None}
    # The daemon makes a namespace on a sandbox only; elsewhere it is there, or delivered.
    needed = {each for each in needed if each[2] != "namespaces"}
    assert {
        *(("delete", "", "configmaps"), ("patch", "", "secrets")),
        *(("update", "", "configmaps"), ("get", "", "pods/log")),
        *(("list", "", "pods"), ("create", "batch", "jobs"), ("get", "", "secrets")),
    } <= needed

    [role] = of_kind("ClusterRole")
    allowed = {
        (verb, group, resource)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert needed - allowed == set()


# --- a root that cannot be written to ---


def test_it_runs_without_a_home_as_somebody_who_may_write_to_two_folders_only(tmp_path):
    with (
        shop(tmp_path) as (work, url),
        tempfile.TemporaryDirectory(prefix="gitops-wf-ro-") as place,
    ):
        data, temporary = Path(place) / "data", Path(place) / "tmp"
        for made in (Path(place), data, temporary):
            made.mkdir(exist_ok=True)
            made.chmod(0o755)
        config = Path(place) / "gitops-wf.yaml"
        config.write_text(
            f"directory: {data}\nstore: {data}/gitops-wf.db\nserver: 127.0.0.1:0\n"
            f"repositories: {{shop: {{url: {url}, interval: 1s, allowHttp: true}}}}\n"
            "targets: {here: {sandbox: true, namespace: shop}}\n"
        )
        workflow = WORKFLOW.replace(", envFrom: [{secret: app}]", "")
        files = {
            "envs/web/workflow.yaml": workflow,
            "envs/web/app.yaml": folder(*release()),
        }
        work.push_commit(files)
        env = environment(TMPDIR=str(temporary), PYTHONDONTWRITEBYTECODE="1")
        env.pop("HOME", None)
        log = Path(place) / "daemon.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*as_nobody(data, temporary), *COMMAND, "run", "--config", str(config)],
                cwd="/",
                env=env,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )
        daemon = DaemonProcess(Path(place), config, process=process)
        try:
            daemon.reaches("web", ["Succeeded"])
            assert daemon.stop() == 0, log.read_text()
        finally:
            if daemon.process is not None:
                daemon.process.kill()
                daemon.process.wait()
            sandbox_process.stop(data / "sandbox")
        assert "Traceback" not in log.read_text()
        assert {path.name for path in Path(place).iterdir()} == {
            *("data", "tmp", "gitops-wf.yaml", "daemon.log")
        }


def as_nobody(*writable: Path) -> list[str]:
    """The words before a command that make it another user's; none where we are one.

    It may read everything (the interpreter may stand in somebody's home) and write
    nothing but what is given to it.
    """
    if os.geteuid() != 0:
        return []
    for path in writable:
        shutil.chown(path, "nobody", "nogroup")
    words = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    words += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return [*words, "--bounding-set=-all,+dac_read_search"]
