"""An overlay and its base, by the daemon: what is built is what is delivered."""

import pytest

from tests.contract.git_remotes import served
from tests.daemons import DaemonProcess

OVERLAY = """\
resources: [../../base]
namePrefix: eu-
configMapGenerator:
  - name: settings
    literals: [region=eu]
"""
CM = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {value: '%s'}\n"
ENVIRONMENT = (
    "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\ntargets: [cluster]\n"
)


@pytest.fixture
def release(tmp_path):
    with served(tmp_path, "path") as remote:
        folder = tmp_path / "daemon"
        folder.mkdir()
        config = folder / "gitops-wf.yaml"
        config.write_text(
            f"repositories: {{shop: {{url: {remote.url}, interval: 1s}}}}\n"
            "targets: {cluster: {sandbox: true, namespace: shop}}\n"
        )
        daemon = DaemonProcess(folder, config)
        yield remote.work, daemon
        daemon.close()


def value(daemon):
    return daemon.kubectl("get", "configmap", "eu-web", "-n", "shop")["data"]["value"]


def test_an_overlay_is_delivered_and_a_change_of_its_base_is_a_revision(release):
    work, daemon = release
    work.push_commit(
        {
            "base/kustomization.yaml": "resources: [cm.yaml]\n",
            "base/cm.yaml": CM % "one",
            "other/cm.yaml": CM % "nothing to do with it",
            "envs/eu/environment.yaml": ENVIRONMENT,
            "envs/eu/kustomization.yaml": OVERLAY,
        }
    )
    daemon.start()
    daemon.reaches("eu", ["Succeeded"])
    assert value(daemon) == "one"
    names = daemon.kubectl("get", "configmap", "-n", "shop")["items"]
    assert any(
        each["metadata"]["name"].startswith("eu-settings-")
        and each["data"] == {"region": "eu"}
        for each in names
    )

    work.push_commit({"other/cm.yaml": CM % "still nothing"})
    two = work.push_commit({"base/cm.yaml": CM % "two"})
    daemon.reaches("eu", ["Succeeded", "Succeeded"])
    assert value(daemon) == "two"
    assert daemon.get("revisions")[0]["commit"] == two

    work.push_commit({"envs/eu/kustomization.yaml": OVERLAY + "nonsense: true\n"})
    daemon.reaches("eu", ["Succeeded", "Succeeded", "Failed/InvalidDefinition"])
    (failed, *_) = daemon.get("revisions")
    assert 'unknown field "nonsense"' in failed["message"]
    assert value(daemon) == "two", "nothing is pruned by what cannot be built"

    work.push_commit(
        {"envs/eu/kustomization.yaml": "resources: ['https://example.com/b?ref=x']\n"}
    )
    daemon.reaches("eu", ["Succeeded", "Succeeded", *["Failed/InvalidDefinition"] * 2])
    assert "copy it into the repository" in daemon.get("revisions")[0]["message"]
    assert daemon.stop() == 0
