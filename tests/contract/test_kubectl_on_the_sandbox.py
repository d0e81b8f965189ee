"""Real kubectl against the sandbox process, and against a real API server.

The real server is the one of KUBECONFIG, where that is set. What needs Pods that run, or
that fail on request, is asked of the sandbox alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from gitops_wf.sandbox import process

REAL = os.environ.get("KUBECONFIG", "")
KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or "kubectl"
RECORDED_HASH = "56b55d7545"


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass(frozen=True)
class Kubectl:
    kubeconfig: Path
    home: Path
    namespace: str

    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": os.environ["PATH"],
        }

    def command(self, *arguments: str) -> list[str]:
        return [KUBECTL, *arguments, "-n", self.namespace]

    def try_(self, *arguments: str, stdin: str = "") -> Answer:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def __call__(self, *arguments: str, stdin: str = "") -> Answer:
        answer = self.try_(*arguments, stdin=stdin)
        assert answer.code == 0, f"kubectl {' '.join(arguments)}: {answer.err}"
        return answer

    def file(self, *objects: dict) -> str:
        path = self.home / f"{uuid.uuid4().hex}.yaml"
        path.write_text(yaml.safe_dump_all(objects))
        return str(path)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("sandbox")
    info = process.start(directory, delay="100ms")
    yield info.kubeconfig
    process.stop(directory)


@pytest.fixture(params=["sandbox", "real"] if REAL else ["sandbox"])
def kubeconfig(request) -> Path:
    if request.param == "real":
        return Path(REAL)
    return request.getfixturevalue("sandbox")


def in_new_namespace(kubeconfig: Path, home: Path) -> Iterator[Kubectl]:
    namespace = f"t{uuid.uuid4().hex[:12]}"
    kubectl = Kubectl(kubeconfig, home, namespace)
    kubectl("create", "namespace", namespace)
    kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=20s")
    yield kubectl
    kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def kubectl(kubeconfig, tmp_path) -> Iterator[Kubectl]:
    """kubectl in a namespace of its own, on the sandbox or on a real API server."""
    yield from in_new_namespace(kubeconfig, tmp_path)


@pytest.fixture
def node_kubectl(sandbox, tmp_path) -> Iterator[Kubectl]:
    """The same where Pods must run or fail on request: on the sandbox only."""
    yield from in_new_namespace(sandbox, tmp_path)


def deployment(name="web", image="nginx:1", replicas=1, **spec) -> dict:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
            **spec,
        },
    }


def config_map(name="settings", **data) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": data or {"color": "blue"},
    }


def job(name="seed", image="busybox:1", **spec) -> dict:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "main", "image": image}],
                    "restartPolicy": "Never",
                }
            },
            **spec,
        },
    }


def rolled_out(kubectl: Kubectl, *objects: dict) -> None:
    for one in objects:
        kubectl("apply", "--server-side", "-f", kubectl.file(one))
        name = one["metadata"]["name"]
        kubectl("rollout", "status", f"deployment/{name}", "--timeout=30s")


def columns(answer: Answer) -> list[list[str]]:
    return [line.split() for line in answer.lines if line]


# Reading


def test_get_shows_deployments_and_pods_as_tables(node_kubectl):
    rolled_out(node_kubectl, deployment(replicas=2))

    rows = columns(node_kubectl("get", "deployments"))
    pods = columns(node_kubectl("get", "pods"))

    assert rows[0] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert rows[1][:4] == ["web", "2/2", "2", "2"]
    assert pods[0] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row[1:4] for row in pods[1:]] == [["1/1", "Running", "0"]] * 2
    assert all(row[0].startswith(f"web-{RECORDED_HASH}-") for row in pods[1:])


def test_get_of_several_kinds_and_all_name_the_kinds(node_kubectl):
    rolled_out(node_kubectl, deployment())

    both = node_kubectl("get", "deploy,pods", "-o", "name").lines
    everything = node_kubectl("get", "all", "-o", "name").lines

    assert both[0] == "deployment.apps/web"
    assert both[1].startswith(f"pod/web-{RECORDED_HASH}-")
    assert f"replicaset.apps/web-{RECORDED_HASH}" in everything
    assert "deployment.apps/web" in everything


def test_get_wide_shows_where_a_pod_runs(node_kubectl):
    rolled_out(node_kubectl, deployment())

    pods = columns(node_kubectl("get", "pods", "-o", "wide"))

    assert "node-1" in pods[1]


def test_get_of_nothing_and_of_what_is_not_there(kubectl):
    nothing = kubectl("get", "deployments")
    missing = kubectl.try_("get", "deployment", "web")

    assert nothing.err.strip() == (
        f"No resources found in {kubectl.namespace} namespace."
    )
    assert missing.code == 1
    assert missing.err.strip() == (
        'Error from server (NotFound): deployments.apps "web" not found'
    )


def test_get_watch_sees_what_comes(kubectl):
    command = kubectl.command("get", "configmaps", "-w", "--no-headers")
    with subprocess.Popen(
        command, env=kubectl.environment(), stdout=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stdout is not None
        first = watch.stdout.readline()
        kubectl("create", "configmap", "late", "--from-literal=a=b")
        second = watch.stdout.readline()
        watch.terminate()

    assert first.startswith("kube-root-ca.crt")
    assert second.split()[:2] == ["late", "1"]


def test_api_resources_and_versions_come_from_discovery(kubectl):
    resources = kubectl("api-resources", "--api-group=apps").lines
    versions = kubectl("api-versions").lines

    assert any(line.split()[:2] == ["deployments", "deploy"] for line in resources)
    assert {"v1", "apps/v1", "batch/v1"} <= set(versions)


def test_explain_reads_the_published_schema(kubectl):
    known = kubectl("explain", "deployment.spec.replicas")
    unknown = kubectl.try_("explain", "deployment.spec.nope")

    assert "FIELD: replicas <integer>" in known.out
    assert unknown.code == 1
    assert 'field "nope" does not exist' in unknown.err


# Server-side apply


def test_server_side_apply_creates_then_changes_nothing_then_changes(kubectl):
    same = kubectl.file(config_map(color="blue"))

    created = kubectl("apply", "--server-side", "-f", same)
    before = kubectl("get", "cm", "settings", "-o", "yaml", "--show-managed-fields")
    again = kubectl("apply", "--server-side", "-f", same)
    after = kubectl("get", "cm", "settings", "-o", "yaml", "--show-managed-fields")
    changed = kubectl(
        "apply", "--server-side", "-f", kubectl.file(config_map(color="red"))
    )

    assert created.out.strip() == "configmap/settings serverside-applied"
    assert again.out == created.out
    assert after == before
    assert changed.out == created.out
    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data}").out == (
        '{"color":"red"}'
    )


def test_server_side_apply_removes_what_its_manager_no_longer_applies(kubectl):
    kubectl("apply", "--server-side", "-f", kubectl.file(config_map(a="1", b="2")))

    kubectl("apply", "--server-side", "-f", kubectl.file(config_map(a="1")))

    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data}").out == '{"a":"1"}'


def test_server_side_apply_conflicts_until_it_is_forced(kubectl):
    mine = ("apply", "--server-side", "--field-manager=mine", "-f")
    yours = ("apply", "--server-side", "--field-manager=yours", "-f")
    kubectl(*mine, kubectl.file(config_map(color="blue")))
    red = kubectl.file(config_map(color="red"))

    refused = kubectl.try_(*yours, red)
    forced = kubectl(*yours, red, "--force-conflicts")

    assert refused.code == 1
    assert 'Apply failed with 1 conflict: conflict with "mine": .data.color' in (
        refused.err
    )
    assert forced.out.strip() == "configmap/settings serverside-applied"


def test_a_server_side_dry_run_stores_nothing(kubectl):
    path = kubectl.file(config_map())

    answer = kubectl("apply", "--server-side", "--dry-run=server", "-f", path)

    assert (
        answer.out.strip() == "configmap/settings serverside-applied (server dry run)"
    )
    assert kubectl.try_("get", "cm", "settings").code == 1


# Client-side apply and the editing commands


def test_client_side_apply_creates_leaves_changes_and_removes(kubectl):
    first = kubectl.file(config_map(a="1", b="2"))

    created = kubectl("apply", "-f", first)
    unchanged = kubectl("apply", "-f", first)
    configured = kubectl("apply", "-f", kubectl.file(config_map(a="3")))

    assert created.out.strip() == "configmap/settings created"
    assert unchanged.out.strip() == "configmap/settings unchanged"
    assert configured.out.strip() == "configmap/settings configured"
    assert kubectl("get", "cm", "settings", "-o", "jsonpath={.data}").out == '{"a":"3"}'


def test_client_side_apply_of_a_deployment_is_unchanged_the_second_time(kubectl):
    path = kubectl.file(deployment())

    created = kubectl("apply", "-f", path)
    unchanged = kubectl("apply", "-f", path)

    assert created.out.strip() == "deployment.apps/web created"
    assert unchanged.out.strip() == "deployment.apps/web unchanged"


def test_server_side_apply_takes_over_from_client_side_apply(kubectl):
    kubectl("apply", "-f", kubectl.file(config_map(color="blue")))

    taken = kubectl(
        "apply", "--server-side", "-f", kubectl.file(config_map(color="red"))
    )

    assert taken.out.strip() == "configmap/settings serverside-applied"


def test_diff_tells_a_difference_by_its_exit_code(kubectl):
    same = kubectl.file(config_map(color="blue"))
    kubectl("apply", "--server-side", "-f", same)

    none = kubectl.try_("diff", "--server-side", "-f", same)
    some = kubectl.try_(
        "diff", "--server-side", "-f", kubectl.file(config_map(color="red"))
    )

    assert none.code == 0, none.err
    assert some.code == 1, some.err
    assert "-  color: blue" in some.out
    assert "+  color: red" in some.out


def test_label_annotate_and_patch_change_an_object(kubectl):
    kubectl("create", "configmap", "settings", "--from-literal=a=1")

    kubectl("label", "cm", "settings", "team=shop")
    kubectl("annotate", "cm", "settings", "why=because")
    kubectl("patch", "cm", "settings", "--type=merge", "-p", '{"data":{"a":"2"}}')

    found = yaml.safe_load(kubectl("get", "cm", "settings", "-o", "yaml").out)
    assert found["metadata"]["labels"] == {"team": "shop"}
    assert found["metadata"]["annotations"] == {"why": "because"}
    assert found["data"] == {"a": "2"}


def test_typed_create_commands_work(kubectl):
    secret = kubectl("create", "secret", "generic", "key", "--from-literal=a=b")
    web = kubectl("create", "deployment", "web", "--image=nginx:1")
    can = kubectl("auth", "can-i", "create", "deployments")

    assert secret.out.strip() == "secret/key created"
    assert web.out.strip() == "deployment.apps/web created"
    assert can.out.strip() == "yes"


def test_an_unknown_field_is_refused_by_its_name(kubectl):
    wrong = deployment()
    wrong["spec"]["replica"] = 2

    refused = kubectl.try_("apply", "-f", kubectl.file(wrong))

    assert refused.code == 1
    assert 'unknown field "spec.replica"' in refused.err


# Rollouts


def test_rollout_status_history_and_undo(node_kubectl):
    rolled_out(node_kubectl, deployment(), deployment(image="nginx:2"))

    history = columns(node_kubectl("rollout", "history", "deployment/web"))
    undone = node_kubectl("rollout", "undo", "deployment/web")
    node_kubectl("rollout", "status", "deployment/web", "--timeout=30s")

    assert [row[0] for row in history[2:]] == ["1", "2"]
    assert undone.out.strip() == "deployment.apps/web rolled back"
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert node_kubectl("get", "deploy", "web", "-o", image).out == "nginx:1"
    after = columns(node_kubectl("rollout", "history", "deployment/web"))
    assert [row[0] for row in after[2:]] == ["2", "3"]


def test_rollout_restart_replaces_the_pods(node_kubectl):
    rolled_out(node_kubectl, deployment())
    before = node_kubectl("get", "rs", "-o", "name").lines

    node_kubectl("rollout", "restart", "deployment/web")
    status = node_kubectl("rollout", "status", "deployment/web", "--timeout=30s")

    assert status.lines[-1] == 'deployment "web" successfully rolled out'
    assert len(node_kubectl("get", "rs", "-o", "name").lines) == len(before) + 1


def test_rollout_status_fails_when_the_deadline_is_exceeded(node_kubectl):
    broken = deployment(image="broken:1", progressDeadlineSeconds=1)
    node_kubectl("apply", "--server-side", "-f", node_kubectl.file(broken))

    status = node_kubectl.try_("rollout", "status", "deployment/web", "--timeout=30s")
    pods = columns(node_kubectl("get", "pods"))

    assert status.code == 1
    assert 'deployment "web" exceeded its progress deadline' in status.err
    assert pods[1][1:3] == ["0/1", "ImagePullBackOff"]


def test_a_crashing_container_shows_its_restarts(node_kubectl):
    crashing = deployment(image="nginx:crash-1")
    node_kubectl("apply", "--server-side", "-f", node_kubectl.file(crashing))
    reason = (
        "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff"
    )

    node_kubectl("wait", f"--for={reason}", "pod", "-l", "app=web", "--timeout=20s")

    pods = columns(node_kubectl("get", "pods"))
    assert pods[1][1:3] == ["0/1", "CrashLoopBackOff"]


def test_wait_for_available_scale_and_wait_again(node_kubectl):
    node_kubectl("apply", "--server-side", "-f", node_kubectl.file(deployment()))

    met = node_kubectl(
        "wait", "--for=condition=Available", "deploy/web", "--timeout=20s"
    )
    node_kubectl("scale", "deployment/web", "--replicas=3")
    three = "jsonpath={.status.availableReplicas}=3"
    node_kubectl("wait", f"--for={three}", "deploy/web", "--timeout=20s")
    late = node_kubectl.try_(
        "wait", "--for=condition=Nope", "deploy/web", "--timeout=1s"
    )

    assert met.out.strip() == "deployment.apps/web condition met"
    assert len(node_kubectl("get", "pods", "--no-headers").lines) == 3
    assert late.code == 1
    assert "timed out waiting for the condition" in late.err


# Describing


def test_describe_deployment_tells_conditions_and_events(node_kubectl):
    rolled_out(node_kubectl, deployment())

    text = node_kubectl("describe", "deployment", "web").out

    assert "1 desired | 1 updated | 1 total | 1 available | 0 unavailable" in text
    assert "Available      True    MinimumReplicasAvailable" in text
    assert f"NewReplicaSet:   web-{RECORDED_HASH} (1/1 replicas created)" in text
    assert f"Scaled up replica set web-{RECORDED_HASH} from 0 to 1" in text


def test_describe_pod_tells_why_it_does_not_start(node_kubectl):
    broken = deployment(image="nginx:broken-1")
    node_kubectl("apply", "--server-side", "-f", node_kubectl.file(broken))
    reason = (
        "jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff"
    )
    node_kubectl("wait", f"--for={reason}", "pod", "-l", "app=web", "--timeout=20s")
    # The Events follow the status that was waited for.
    events = ("wait", "--for=jsonpath={.reason}=BackOff", "events", "--all")
    node_kubectl.try_(*events, "--timeout=2s")

    text = node_kubectl("describe", "pod", "-l", "app=web").out

    assert "Reason:       ImagePullBackOff" in text
    assert "Failed to pull image" in text
    assert "docker.io/library/nginx:broken-1: not found" in text
    assert "Successfully assigned" in text


def test_describe_job_tells_its_end(node_kubectl):
    node_kubectl("apply", "--server-side", "-f", node_kubectl.file(job()))
    node_kubectl("wait", "--for=condition=Complete", "job/seed", "--timeout=20s")

    text = node_kubectl("describe", "job", "seed").out
    rows = columns(node_kubectl("get", "jobs"))

    assert "0 Active (0 Ready) / 1 Succeeded / 0 Failed" in text
    assert "Created pod: seed-" in text
    assert rows[1][:3] == ["seed", "Complete", "1/1"]


def test_a_failed_job_says_so(node_kubectl):
    failing = job(image="fail:1", backoffLimit=0)
    node_kubectl("apply", "--server-side", "-f", node_kubectl.file(failing))

    node_kubectl("wait", "--for=condition=Failed", "job/seed", "--timeout=20s")

    rows = columns(node_kubectl("get", "jobs"))
    logs = node_kubectl("logs", "job/seed").lines
    assert rows[1][:3] == ["seed", "Failed", "0/1"]
    assert logs[-1].startswith("error: ")


def test_logs_are_what_the_annotation_says_or_two_lines(node_kubectl):
    speaking = deployment("speaking")
    meta = speaking["spec"]["template"]["metadata"]
    meta["annotations"] = {"sandbox.gitops-wf.io/log": "one\ntwo\nthree"}
    rolled_out(node_kubectl, deployment(), speaking)

    assert node_kubectl("logs", "deployment/web").lines == ["line 1", "line 2"]
    tail = node_kubectl("logs", "deployment/speaking", "--tail=2")
    wrong = node_kubectl.try_("logs", "deployment/web", "-c", "nope")

    assert tail.lines == ["two", "three"]
    assert wrong.code == 1
    assert "container nope is not valid for pod" in wrong.err


def test_events_of_a_deployment(node_kubectl):
    rolled_out(node_kubectl, deployment())

    events = node_kubectl("events", "--for", "deployment/web").lines
    every = node_kubectl("get", "events", "--sort-by=.lastTimestamp").lines

    assert events[1].split()[1:4] == ["Normal", "ScalingReplicaSet", "Deployment/web"]
    assert len(every) > 5


# Deleting


def test_delete_waits_until_everything_is_gone(node_kubectl):
    rolled_out(node_kubectl, deployment(replicas=2))

    gone = node_kubectl("delete", "deployment", "web", "--cascade=foreground")
    again = node_kubectl("delete", "deployment", "web", "--ignore-not-found")

    assert gone.out.strip().startswith('deployment.apps "web" deleted')
    assert again.out == ""
    assert node_kubectl("get", "rs,pods", "-o", "name").lines == []


def test_delete_with_orphans_leaves_the_pods(node_kubectl):
    rolled_out(node_kubectl, deployment())

    node_kubectl("delete", "deployment", "web", "--cascade=orphan")

    assert len(node_kubectl("get", "rs,pods", "-o", "name").lines) == 2


def test_delete_of_a_file_takes_all_of_its_objects(kubectl):
    path = kubectl.file(config_map("a"), config_map("b"))
    kubectl("apply", "-f", path)

    deleted = kubectl("delete", "-f", path)

    assert len(deleted.lines) == 2
    assert kubectl.try_("get", "cm", "a", "b").code == 1


def test_a_namespace_comes_and_goes_with_its_content(node_kubectl):
    name = f"{node_kubectl.namespace}x"
    other = Kubectl(node_kubectl.kubeconfig, node_kubectl.home, name)

    created = other("create", "namespace", name)
    again = other.try_("create", "namespace", name)
    other("wait", "--for=create", "serviceaccount/default", "--timeout=20s")
    rolled_out(other, deployment())
    deleted = other("delete", "namespace", name, "--timeout=30s")

    assert created.out.strip() == f"namespace/{name} created"
    assert f'namespaces "{name}" already exists' in again.err
    assert deleted.out.strip().startswith(f'namespace "{name}" deleted')
    assert other.try_("get", "namespace", name).code == 1
