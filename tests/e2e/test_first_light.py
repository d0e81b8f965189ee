"""A push deploys, an approval commit resumes, a revert rolls back: all on real parts.

The daemon is a process, Git is served in each way that users serve it, and what came of
it is asked of the sandbox cluster.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.contract.git_remotes import Served, served
from tests.daemons import DaemonProcess, eventually
from tests.releases import approval

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: to-staging, type: deploy2env, properties: {target: staging}}
  - {name: go-live, type: suspend, if: '!revision.rollback'}
  - {name: to-prod, type: deploy2env, properties: {target: prod}}
"""


def manifests(value: str, image: str = "nginx:1.27") -> str:
    return f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: web}}
data: {{value: {value!r}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {{app: web}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers: [{{name: web, image: '{image}'}}]
"""


def config_for(remote: Served, folder: Path, store: str) -> str:
    lines = [
        "instance: e2e",
        f"store: {store}",
        "repositories:",
        "  shop:",
        f"    url: {remote.url}",
        "    interval: 1s",
        "    allowHttp: true" if remote.http else "    allowHttp: false",
    ]
    more = ""
    if remote.http:
        lines.append(
            "    auth: {type: basic, username: deploy, secretRef: {name: git}}"
        )
        more = "secrets: {git: {env: GIT_PASSWORD}}\n"
    if remote.ssh:
        (folder / "key").write_text(remote.ssh.private_key)
        (folder / "key").chmod(0o600)
        (folder / "known_hosts").write_text(remote.ssh.known_hosts)
        lines.append(
            "    auth: {type: ssh, secretRef: {name: git}, knownHosts: known_hosts}"
        )
        more = "secrets: {git: {file: key}}\n"
    lines += [
        "targets:",
        "  staging: {sandbox: true, namespace: staging}",
        "  prod: {sandbox: true, namespace: prod}",
    ]
    return "\n".join(lines) + "\n" + more


@contextmanager
def set_up(
    tmp_path: Path, transport: str, store: str, *, is_forked: bool
) -> Iterator[tuple[Served, DaemonProcess]]:
    """A served repository, and a daemon for it that has not been started."""
    with ExitStack() as stack:
        remote = stack.enter_context(served(tmp_path, transport))
        folder = tmp_path / "daemon"
        folder.mkdir()
        config = folder / "gitops-wf.yaml"
        config.write_text(config_for(remote, folder, store))
        daemon = DaemonProcess(
            folder, config, env={"GIT_PASSWORD": "s3cret"}, is_forked=is_forked
        )
        stack.callback(daemon.close)
        yield remote, daemon


@pytest.fixture(params=["ssh", "http on postgresql"])
def release(request, tmp_path):
    """A release over each way to serve Git, and on each database.

    Each daemon is a Python of its own, as it is where people run it.
    """
    transport, _, server = request.param.partition(" on ")
    with ExitStack() as stack:
        store = "store.db"
        if server:
            database = request.getfixturevalue("postgres").database()
            store = stack.enter_context(database)
        yield stack.enter_context(set_up(tmp_path, transport, store, is_forked=False))


@pytest.fixture
def local_release(tmp_path, store_location):
    """A release where how Git is served makes no difference."""
    with set_up(tmp_path, "path", store_location, is_forked=True) as parts:
        yield parts


def test_a_push_deploys_an_approval_resumes_and_a_revert_rolls_back(release):
    remote, daemon = release
    work = remote.work
    daemon.start()

    one = work.push_commit(
        {"envs/web/workflow.yaml": WORKFLOW, "envs/web/web.yaml": manifests("one")},
        "First",
    )
    daemon.reaches("web", ["Suspended"])
    assert daemon.value("staging") == "one"
    assert daemon.value("prod") is None
    (revision,) = daemon.get("revisions")
    assert revision["commit"] == one
    waiting = {"step": "go-live", "approvals": [], "needed": 1}
    assert waiting.items() <= revision["waiting"].items()

    # The approval arrives while nobody is there to see it.
    daemon.kill()
    work.push_commit(
        {"envs/web/approvals.yaml": approval(one, "go-live", by=work.author)},
        "Approve the first",
    )
    daemon.start()
    daemon.reaches("web", ["Succeeded"])
    assert daemon.value("prod") == "one"

    two = work.push_commit({"envs/web/web.yaml": manifests("two")}, "Second")
    daemon.reaches("web", ["Succeeded", "Suspended"])
    work.push_commit(
        {"envs/web/approvals.yaml": approval(two, "go-live", by=work.author)},
        "Approve the second",
    )
    eventually(lambda: daemon.value("prod") == "two", what="the second in prod")
    daemon.reaches("web", ["Succeeded", "Succeeded"])

    work.revert(two)
    work.push()
    daemon.reaches("web", ["Succeeded", "Succeeded", "Succeeded"])
    assert daemon.value("prod") == "one"
    newest = daemon.get("revisions")[0]
    assert (newest["number"], newest["rollback"], newest["released"]) == (3, True, True)
    assert daemon.stop() == 0


def test_a_kill_in_the_middle_repeats_no_step_that_succeeded(local_release):
    remote, daemon = local_release
    daemon.start()
    remote.work.push_commit(
        {"envs/web/workflow.yaml": WORKFLOW, "envs/web/web.yaml": manifests("one")}
    )
    eventually(lambda: daemon.value("staging") == "one", what="the first write")
    daemon.kill()

    daemon.start()
    daemon.reaches("web", ["Suspended"])

    applies = daemon.writes("/namespaces/staging/configmaps/web")
    assert len(applies) == 1
    (run,) = daemon.get("runs")
    assert [(s["name"], s["phase"]) for s in run["steps"]] == [
        ("to-staging", "Succeeded"),
        ("go-live", "Suspended"),
        ("to-prod", "Pending"),
    ]
