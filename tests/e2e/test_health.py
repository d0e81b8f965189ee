"""The daemon judges objects by the shipped rules, and by those of its config."""

import pytest

from tests.contract.git_remotes import served
from tests.daemons import DaemonProcess, cli

CONFIG = """\
repositories:
  shop: {{url: {url}, interval: 1s}}
targets:
  here: {{sandbox: true, namespace: shop}}
health:
  rules:
    - apiVersion: v1
      kind: ConfigMap
      failed: metadata.labels.state == "broken"
      current: metadata.labels.state == "well"
      message: '"the label says " + metadata.labels.state'
"""
MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: web, labels: {{state: {state}}}}}
data: {{value: a}}
"""
HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
PROMETHEUS = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: prometheuses.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: Prometheus, plural: prometheuses, singular: prometheus}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: k8s}
spec: {paused: true}
"""


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


def described(daemon, name):
    """What the daemon says of the newest revision of an environment."""
    where = ("--config", str(daemon.config))
    return " ".join(cli("describe", name, *where, cwd=daemon.folder).stdout.split())


def test_a_step_ends_by_the_rules_of_the_package_and_of_the_config(release):
    work, daemon = release
    environment = "targets: [here]\n"
    daemon.start()

    work.push_commit(
        {
            "envs/web/environment.yaml": HEAD + environment,
            "envs/web/web.yaml": MAP.format(state="well"),
            "envs/metrics/environment.yaml": HEAD + environment,
            "envs/metrics/prometheus.yaml": PROMETHEUS,
        },
        "First",
    )
    daemon.reaches("web", ["Succeeded"])
    daemon.reaches("metrics", ["Succeeded"])
    work.push_commit({"envs/web/web.yaml": MAP.format(state="broken")}, "Break it")
    daemon.reaches("web", ["Succeeded", "Failed/HealthCheckFailed"])

    assert "2 created; 1 healthy, 1 suspended" in described(daemon, "metrics")
    assert "ConfigMap/shop/web: the label says broken" in described(daemon, "web")
