"""A daemon whose environments wait for each other, find endpoints and export values."""

import base64

import pytest

from tests.contract.git_remotes import served
from tests.daemons import DaemonProcess, cli

CANARY = "c4n4ry-of-the-database"
CONFIG = """\
repositories:
  shop: {{url: {url}, interval: 1s}}
targets:
  here: {{sandbox: true, namespace: shop}}
secrets:
  db: {{env: DB_PASSWORD, environments: [shop/prod], targets: [here]}}
"""
STAGING = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: out, type: deploy2env, properties: {target: here}}
  - {name: soak, type: wait, properties: {duration: 2s}}
"""
PROD = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - name: first
    type: depends-on
    properties: {environment: staging, revision: same}
  - {name: out, type: deploy2env, properties: {target: here}}
  - name: where
    type: collect-service-endpoints
    properties: {target: here, name: web}
    outputs: [{name: url, valueFrom: value.url}]
  - name: tell
    type: export2config
    properties:
      target: here
      configName: endpoint
      data: {url: '${{ outputs.url }}'}
  - name: login
    type: export2secret
    properties:
      target: here
      secretName: login
      data: {password: {secretRef: {name: db}}}
  - name: flag
    type: apply-object
    properties:
      target: here
      value:
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: flag}
        data: {commit: '${{ revision.short }}'}
"""
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: staging}\n"
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 8080}]
"""


@pytest.fixture
def release(tmp_path):
    with served(tmp_path, "path") as remote:
        folder = tmp_path / "daemon"
        folder.mkdir()
        config = folder / "gitops-wf.yaml"
        config.write_text(CONFIG.format(url=remote.url))
        daemon = DaemonProcess(folder, config, env={"DB_PASSWORD": CANARY})
        try:
            yield remote.work, daemon
        finally:
            daemon.close()


def test_values_found_by_one_step_stand_on_the_cluster_by_another(release):
    work, daemon = release
    daemon.start()
    sha = work.push_commit(
        {
            "envs/staging/workflow.yaml": STAGING,
            "envs/staging/map.yaml": MAP,
            "envs/prod/workflow.yaml": PROD,
            "envs/prod/service.yaml": SERVICE,
        },
        "First",
    )
    daemon.reaches("prod", ["Succeeded"])

    def found(kind, name):
        return daemon.kubectl("get", kind, name, "-n", "shop")

    written = [line["path"] for line in daemon.writes("/namespaces/shop/")]
    names = [path.partition("?")[0].rpartition("/")[2] for path in written]
    page = cli("describe", "prod", "--config", str(daemon.config), cwd=daemon.folder)
    assert names.index("staging") < names.index("web")
    assert found("configmap", "endpoint")["data"]["url"].startswith("http://203.0.113.")
    assert found("configmap", "flag")["data"] == {"commit": sha[:8]}
    password = found("secret", "login")["data"]["password"]
    assert base64.b64decode(password).decode() == CANARY
    assert CANARY not in daemon.log + page.stdout + page.stderr
    assert "staging#1" in page.stdout
