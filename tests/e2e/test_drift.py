"""A daemon undoes what somebody did to a released object, and tells it."""

import subprocess

import pytest

from tests.contract.git_remotes import served
from tests.daemons import KUBECTL, DaemonProcess, cli, environment, eventually

CONFIG = """\
repositories:
  shop: {{url: {url}, interval: 1s}}
targets:
  here: {{sandbox: true, namespace: shop}}
drift: {{interval: 1s}}
"""
HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\ntargets: [here]\n"
MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: a}}\n"
)


@pytest.fixture
def release(tmp_path):
    with served(tmp_path, "path") as remote:
        folder = tmp_path / "daemon"
        folder.mkdir()
        config = folder / "gitops-wf.yaml"
        config.write_text(CONFIG.format(url=remote.url))
        daemon = DaemonProcess(folder, config)
        try:
            yield remote.work, daemon
        finally:
            daemon.close()


def edit(daemon, name):
    """Change a live object as a person at a terminal does."""
    subprocess.run(
        [
            *(KUBECTL, "patch", "configmap", name, "-n", "shop"),
            *("--type=merge", "-p", '{"data": {"value": "b"}}'),
        ],
        env=environment(KUBECONFIG=str(daemon.sandbox / "kubeconfig")),
        check=True,
        capture_output=True,
        timeout=60,
    )


def value(daemon, name):
    return daemon.value("shop", name)


def test_an_edit_is_undone_where_that_is_asked_and_told_where_it_is_not(release):
    work, daemon = release
    daemon.start()
    work.push_commit(
        {
            "envs/kept/environment.yaml": HEAD + "drift: {selfHeal: true}\n",
            "envs/kept/map.yaml": MAP.format(name="kept"),
            "envs/told/environment.yaml": HEAD,
            "envs/told/map.yaml": MAP.format(name="told"),
        },
        "First",
    )
    daemon.reaches("kept", ["Succeeded"])
    daemon.reaches("told", ["Succeeded"])

    edit(daemon, "kept")
    edit(daemon, "told")

    eventually(lambda: daemon.logged("drift.ended"), what="the heal")
    eventually(lambda: len(daemon.logged("drift.found")) == 2, what="both drifts")
    assert value(daemon, "kept") == "a"
    assert value(daemon, "told") == "b"
    patches = [
        line for line in daemon.writes("/configmaps/kept") if "dryRun" not in str(line)
    ]
    assert len(patches) == 3  # the release, the edit, the heal
    page = cli("describe", "told", "--config", str(daemon.config), cwd=daemon.folder)
    assert '/data/value is "b", Git says "a"' in " ".join(page.stdout.split())
