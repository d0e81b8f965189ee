"""What an installation is made of: the Dockerfile and `manifests/`, held together.

No image is built here: what it holds is read from the Dockerfile, and the daemon runs as
the Deployment would run it, on a file system that it cannot write.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import yaml

from gitops_wf.bootstrap.configs import load_config
from gitops_wf.core.config import TargetKind
from gitops_wf.sandbox import process
from tests.contract.git_remotes import served
from tests.daemons import COMMAND, KUBECTL, ROOT, DaemonProcess, environment, eventually

BASE, TARGET = ROOT / "manifests" / "base", ROOT / "manifests" / "target"


def address(log: Path) -> str:
    """Where a daemon serves, by its own log."""
    found = re.search(r'"url": "(http://[^"]+)"', log.read_text())
    return found[1] if found else ""


def rendered(folder: Path) -> list[dict]:
    done = subprocess.run(
        [KUBECTL, "kustomize", str(folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=environment(),
    )
    return list(yaml.safe_load_all(done.stdout))


def one(kind: str, objects: list[dict]) -> dict:
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A sandbox of its own, as kubectl sees it."""
    folder = tmp_path_factory.mktemp("cluster")
    process.start(folder)
    yield folder
    process.stop(folder)


def kubectl(sandbox: Path, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [KUBECTL, *arguments],
        env=environment(KUBECONFIG=str(sandbox / "kubeconfig"), HOME=str(sandbox)),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cluster_takes_the_manifests_and_brings_the_daemon_up(sandbox):
    kubectl(sandbox, "create", "namespace", "shop")

    for folder in (BASE, TARGET):
        text = yaml.safe_dump_all(rendered(folder))
        # Strict: a field that the API does not know is an error, not a warning.
        kubectl(
            sandbox, "apply", "--server-side", "--validate=strict", "-f", "-",
            stdin=text,
        )  # fmt: skip

    kubectl(
        sandbox, "rollout", "status", "deployment/gitops-wf", "-n", "gitops-wf",
        "--timeout=60s",
    )  # fmt: skip
    pods = json.loads(kubectl(sandbox, "get", "pods", "-n", "gitops-wf", "-o", "json"))[
        "items"
    ]
    assert [pod["status"]["phase"] for pod in pods] == ["Running"]


def test_the_config_of_the_base_is_one_that_the_daemon_takes():
    config = load_config(BASE / "gitops-wf.yaml")

    (target,) = config.targets.values()
    assert (target.kind, target.namespaces) == (TargetKind.IN_CLUSTER, ("shop",))
    role = one("Role", rendered(TARGET))
    assert role["metadata"]["namespace"] == target.namespace


def dockerfile() -> dict[str, list[str]]:
    """The instructions of the last stage, by name."""
    text = re.sub(
        r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE
    )
    stage = text.rpartition("\nFROM ")[2].replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in stage.splitlines()[1:]:
        name, _, rest = line.partition(" ")
        found.setdefault(name, []).append(rest)
    return found


def test_the_deployment_fits_the_image():
    pod = one("Deployment", rendered(BASE))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    image = dockerfile()
    user = (
        f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    )
    config = load_config(BASE / "gitops-wf.yaml")

    assert image["USER"] == [user]
    assert container["args"] == json.loads(image["CMD"][0])
    assert json.loads(image["ENTRYPOINT"][0])[-1].endswith("/gitops-wf")
    assert config.server.endswith(f":{container['ports'][0]['containerPort']}")
    assert image["EXPOSE"] == [str(container["ports"][0]["containerPort"])]
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    assert config.directory in mounts
    assert "readOnly" not in mounts[config.directory]
    assert str(Path(container["args"][-1]).parent) in mounts
    assert "/tmp" in mounts
    # The folder is the user's in the image, too, for hosts without fsGroup.
    assert f"-o 65532 -g 65532 {config.directory}" in image["RUN"][0]


def test_the_pod_meets_the_restricted_profile():
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    objects = rendered(BASE)
    labels = one("Namespace", objects)["metadata"]["labels"]
    pod = one("Deployment", objects)["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not [each for each in objects if each["kind"] == "Secret"]


WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: deploy, type: deploy2env, properties: {target: shop}}
  - {name: seed, type: run-job, properties: {manifest: jobs/seed.yaml, target: shop}}
"""
WEB = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {value: one}
---
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {value: one}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'nginx:1.27'}]}
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: seed}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: seed, image: busybox}]}}
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A daemon that has delivered, changed and pruned; closed afterwards."""
    tmp_path = tmp_path_factory.mktemp("release")
    with served(tmp_path, "path") as remote:
        folder = tmp_path / "daemon"
        folder.mkdir()
        config = folder / "gitops-wf.yaml"
        config.write_text(
            f"repositories: {{shop: {{url: {remote.url}, interval: 1s}}}}\n"
            "targets: {shop: {sandbox: true, namespace: shop}}\n"
        )
        remote.work.push_commit(
            {
                "envs/web/workflow.yaml": WORKFLOW,
                "envs/web/web.yaml": WEB,
                "envs/web/jobs/seed.yaml": JOB,
            }
        )
        daemon = DaemonProcess(folder, config)
        daemon.start()
        try:
            daemon.reaches("web", ["Succeeded"])
            remote.work.push_commit(
                {
                    "envs/web/web.yaml": WEB.rpartition("---\n")[2].replace(
                        "1.27", "broken-1.28"
                    )
                }
            )
            daemon.reaches("web", ["Succeeded", "Failed/HealthCheckFailed"])
            assert daemon.stop() == 0
            yield daemon
        finally:
            daemon.close()


_API = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?"
)


def asked(line: dict) -> tuple[str, str, str] | None:
    """Verb, group and resource of a request in a namespace, as RBAC names them.

    https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb
    """
    url = urlsplit(line["path"])
    found = _API.fullmatch(url.path)
    if found is None or found["namespace"] != "shop":
        return None
    resource = (
        f"{found['resource']}/{found['sub']}" if found["sub"] else found["resource"]
    )
    is_one = found["name"] is not None
    verbs = {
        "GET": "get" if is_one else "list",
        "POST": "create",
        "PUT": "update",
        "PATCH": "patch",
        "DELETE": "delete" if is_one else "deletecollection",
    }
    verb = "watch" if "watch" in parse_qs(url.query) else verbs[line["method"]]
    return verb, found["group"] or "", resource


def test_the_role_allows_every_request_that_a_release_makes(release):
    role = one("Role", rendered(TARGET))
    allowed = {
        (verb, group, resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    log = (release.sandbox / "requests.log").read_text().splitlines()
    lines = [json.loads(line) for line in log]
    wanted = {need for line in lines if (need := asked(line)) is not None}

    # An apply that creates needs `create` beside `patch`.
    # https://kubernetes.io/docs/reference/using-api/server-side-apply/
    wanted |= {("create", *rest) for verb, *rest in wanted if verb == "patch"}
    assert {verb for verb, *_ in wanted} >= {"get", "list", "patch", "update", "delete"}
    assert ("get", "", "pods/log") in wanted
    assert wanted <= allowed, wanted - allowed


def read_only_root(folder: Path, command: list[str]) -> list[str]:
    """The command, in a mount namespace where only one folder can be written."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare (util-linux) to make a read-only root with")
    inner = (
        'mount --bind "$1" "$1" && mount -o remount,ro,bind / && '
        "! touch /canary 2>/dev/null && shift && exec "
        '"$@"'
    )
    as_root = [] if os.geteuid() == 0 else ["-r"]
    return ["unshare", *as_root, "-m", "sh", "-c", inner, "sh", str(folder), *command]


def test_the_daemon_runs_with_a_read_only_root_and_without_a_home(tmp_path):
    with served(tmp_path, "path") as remote:
        remote.work.push_commit(
            {
                "envs/web/environment.yaml": (
                    "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
                    "targets: [files]\n"
                ),
                "envs/web/web.yaml": WEB,
            }
        )
        place = tmp_path / "data"
        (place / "tmp").mkdir(parents=True)
        config = tmp_path / "gitops-wf.yaml"
        config.write_text(
            f"directory: {place}\nserver: 127.0.0.1:0\n"
            f"repositories: {{shop: {{url: {remote.url}, interval: 1s}}}}\n"
            f"targets: {{files: {{directory: {place / 'files'}}}}}\n"
        )
        variables = environment(TMPDIR=str(place / "tmp"), PYTHONDONTWRITEBYTECODE="1")
        variables.pop("HOME", None)
        command = read_only_root(place, [*COMMAND, "run", "--config", str(config)])
        log = tmp_path / "daemon.log"
        with log.open("wb") as out:
            daemon = subprocess.Popen(
                command, cwd="/", env=variables, stdout=out, stderr=out
            )
        try:
            url = eventually(lambda: address(log), what="the daemon's address")
            eventually(
                lambda: httpx.get(f"{url}/readyz").status_code == 200, what="ready"
            )
            eventually(lambda: list((place / "files").rglob("*web*")), what="files")
        finally:
            daemon.terminate()
            code = daemon.wait(timeout=30)
        assert code == 0, log.read_text()[-3000:]


def test_the_base_names_the_version_of_the_package():
    pod = one("Deployment", rendered(BASE))["spec"]["template"]["spec"]
    version = re.search(
        r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )

    assert pod["containers"][0]["image"] == f"gitops-wf:{version[1]}"
