"""A release that goes from one environment to the next by itself, or back."""

from contextlib import contextmanager

import pytest

from tests.contract.git_remotes import served
from tests.daemons import DaemonProcess
from tests.gitserver import run_git

CONFIG = """\
repositories:
  shop: {{url: {url}, interval: {interval}, push: true{auth}}}
{secrets}targets:
  staging: {{sandbox: true, namespace: staging}}
  prod: {{sandbox: true, namespace: prod}}
"""
HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: deploy, type: deploy2env}
  - {name: to-prod, type: promote, properties: {folder: envs/prod}}
"""


def manifests(value, image="nginx:1.27"):
    return f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: web}}
data: {{value: {value!r}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web-{value}}}
spec: {{containers: [{{name: web, image: '{image}'}}]}}
"""


def both(staging=""):
    """Staging, which promotes to prod, and prod; with more of staging's settings."""
    return {
        "envs/staging/environment.yaml": HEAD + "targets: [staging]\n" + staging,
        "envs/staging/workflow.yaml": WORKFLOW,
        "envs/staging/web.yaml": manifests("one"),
        "envs/prod/environment.yaml": HEAD + "targets: [prod]\n",
        "envs/prod/web.yaml": manifests("zero"),
    }


@contextmanager
def released(tmp_path, transport, interval, auth="", secrets=""):
    with served(tmp_path, transport) as remote:
        folder = tmp_path / "daemon"
        folder.mkdir()
        (folder / "password").write_text("s3cret")
        config = folder / "gitops-wf.yaml"
        config.write_text(
            CONFIG.format(url=remote.url, interval=interval, auth=auth, secrets=secrets)
        )
        daemon = DaemonProcess(folder, config)
        try:
            yield remote, daemon
        finally:
            daemon.close()


@pytest.fixture
def release(tmp_path):
    with released(tmp_path, "path", "1s") as both:
        yield both


@pytest.fixture
def rarely_polled(tmp_path):
    auth = ", allowHttp: true, auth: {type: basic, username: deploy, secretRef: {name: password}}"
    secrets = "secrets: {password: {file: password}}\n"
    with released(tmp_path, "http", "1h", auth, secrets) as both:
        yield both


def test_what_is_well_is_promoted_and_what_fails_is_reverted(release):
    remote, daemon = release
    remote.work.push_commit(both(staging="onFailure: revert\n"))
    daemon.start()
    daemon.reaches("prod", ["Succeeded", "Succeeded"])
    daemon.reaches("staging", ["Succeeded"])
    assert daemon.value("prod") == "one"
    [promoted] = [
        r for r in daemon.get("revisions") if r["subject"].startswith("Promote")
    ]
    assert promoted["environment"] == "prod"

    remote.work.pull()
    bad = remote.work.push_commit(
        {"envs/staging/web.yaml": manifests("two", "broken:1")}, "Break it"
    )
    failed = "Failed/HealthCheckFailed"
    daemon.reaches("staging", ["Succeeded", failed, "Succeeded"])

    assert daemon.value("staging") == "one"
    assert daemon.value("prod") == "one"
    assert f"This reverts commit {bad}" in run_git(
        remote.bare, "log", "-1", "--format=%B", "main"
    )
    assert len(daemon.logged("revert.pushed")) == 1


def test_what_the_daemon_pushes_does_not_wait_for_the_next_poll(rarely_polled):
    remote, daemon = rarely_polled
    remote.work.push_commit(both())

    daemon.start()

    daemon.reaches("prod", ["Succeeded", "Succeeded"])
    assert daemon.value("prod") == "one"
