"""Overlays, charts and encrypted files, by the daemon: what is made is delivered."""

import base64

import pyrage
import pytest

from tests.contract.git_remotes import served
from tests.daemons import DaemonProcess
from tests.sops import MANIFEST, encrypted

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
            "targets: {cluster: {sandbox: true, namespace: shop,"
            " substitute: {site: fra, region: elsewhere}}}\n"
            "renderers: {output: 64Ki}\n"
        )
        daemon = DaemonProcess(folder, config)
        yield remote.work, daemon
        daemon.close()


def value(daemon):
    return daemon.value("shop", "eu-web")


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
    names = daemon.read("/api/v1/namespaces/shop/configmaps")["items"]
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


CHART = {
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "value: default\nzone: none\n",
    "charts/web/templates/cm.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-web}\n"
        "data: {value: '{{ .Values.value }}', zone: '{{ .Values.zone }}',"
        " region: '${region}', site: '${site}'}\n"
    ),
}
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: %s, annotations: {helm.sh/hook: '%s'}}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: a, image: a}]}
"""
HOOKS = {
    "charts/web/templates/migrate.yaml": JOB % ("migrate", "pre-install,pre-upgrade"),
    "charts/web/templates/gone.yaml": JOB % ("gone", "pre-delete"),
    "charts/web/templates/try.yaml": JOB % ("try", "test"),
}
HELM = ENVIRONMENT + (
    "helm: {chart: ../../charts/web, release: eu, values: [values.yaml],"
    " targets: {cluster: [zone.yaml]}}\n"
    "substitute: {values: {region: none}, targets: {cluster: {region: eu-1}}}\n"
)


def test_a_chart_is_delivered_with_the_values_of_its_target(release):
    work, daemon = release
    work.push_commit(
        CHART
        | HOOKS
        | {
            "envs/eu/environment.yaml": HELM,
            "envs/eu/values.yaml": "value: one\n",
            "envs/eu/zone.yaml": "zone: a\n",
        }
    )
    daemon.start()
    daemon.reaches("eu", ["Succeeded"])

    found = daemon.read("/api/v1/namespaces/shop/configmaps/eu-web")["data"]
    assert found == {"value": "one", "zone": "a", "region": "eu-1", "site": "fra"}
    jobs = daemon.read("/apis/batch/v1/namespaces/shop/jobs")["items"]
    assert [job["metadata"]["name"] for job in jobs] == ["migrate"]
    assert jobs[0]["status"]["succeeded"] == 1

    template = CHART["charts/web/templates/cm.yaml"].replace("value: '", "value: 'x")
    work.push_commit({"charts/web/templates/cm.yaml": template})
    daemon.reaches("eu", ["Succeeded", "Succeeded"])
    assert value(daemon) == "xone"

    work.push_commit({"envs/eu/environment.yaml": HELM.replace("zone.yaml", "no.yaml")})
    daemon.reaches("eu", ["Succeeded", "Succeeded", "Failed/InvalidDefinition"])
    message = daemon.get("revisions")[0]["message"]
    assert message.startswith("envs/eu/environment.yaml:4: there is no file")

    large = template.replace("value: '", "more: '{{ repeat 70000 `x` }}', value: '")
    work.push_commit(
        {"charts/web/templates/cm.yaml": large, "envs/eu/environment.yaml": HELM}
    )
    daemon.reaches("eu", ["Succeeded", "Succeeded", *["Failed/InvalidDefinition"] * 2])
    assert "more than 64Ki: `renderers.output`" in daemon.get("revisions")[0]["message"]
    assert daemon.stop() == 0


def test_an_encrypted_secret_is_delivered_with_a_granted_key(release):
    work, daemon = release
    identity = pyrage.x25519.Identity.generate()
    (daemon.folder / "age.key").write_text(str(identity))
    daemon.config.write_text(
        daemon.config.read_text()
        + "secrets: {sops: {file: age.key, environments: ['shop/*']}}\n"
    )
    secret = encrypted(
        daemon.folder, "secret.yaml", MANIFEST, "--age", str(identity.to_public())
    )
    work.push_commit(
        {"envs/eu/environment.yaml": ENVIRONMENT, "envs/eu/secret.yaml": secret.data}
    )
    daemon.start()
    daemon.reaches("eu", ["Failed/InvalidDefinition"])
    assert "is encrypted by SOPS" in daemon.get("revisions")[0]["message"]

    key = "decryption: {secretRef: {name: sops}}\n"
    work.push_commit({"envs/eu/environment.yaml": ENVIRONMENT + key})
    daemon.reaches("eu", ["Failed/InvalidDefinition", "Succeeded"])

    data = daemon.read("/api/v1/namespaces/shop/secrets/web")["data"]
    assert base64.b64decode(data["password"]) == b"hunter2-hunter2"
    assert daemon.stop() == 0
    kept = [p for p in (daemon.folder / ".gitops-wf").rglob("*") if p.is_file()]
    places = [daemon.folder / "daemon.log", *kept]
    leaks = [
        path
        for path in places
        if "sandbox" not in path.parts and b"hunter2" in path.read_bytes()
    ]
    assert leaks == []
