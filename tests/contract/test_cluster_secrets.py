"""Secrets of the daemon config that stand on a cluster, and as whom they are read."""

import base64

import pytest

from gitops_wf.adapters.cluster_secrets import ClusterSecrets
from gitops_wf.adapters.config_secrets import ConfigSecrets
from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.bootstrap.targets import open_target
from gitops_wf.core.config import TargetConfig, TargetKind
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.grants import KubernetesSource, SecretGrant
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.impersonation import ImpersonationRule, service_account
from gitops_wf.core.redaction import Redactor
from gitops_wf.core.secret import Secret
from gitops_wf.ports.secrets import SecretRef
from tests.clusters import allow, cluster, kubeconfig, namespace, of_account

__all__ = ["cluster", "kubeconfig", "namespace"]

HERE = TargetName("here")
PROD = EnvironmentId("shop/prod")
CANARY = "c4n4ry-of-the-cluster"


def secret(cluster, namespace, name="forge", **values):
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": values,
        }
    )


def secrets(path, namespace, *, rule=(), redactor=None, **source):
    target = TargetConfig(
        name=HERE,
        kind=TargetKind.KUBECONFIG,
        path=str(path),
        namespace=namespace,
        impersonate=rule,
    )
    grant = SecretGrant(
        name="forge",
        kubernetes=KubernetesSource(**{"target": HERE, "name": "forge"} | source),
        environments=("shop/*",),
    )
    clusters = ConfiguredClusters({HERE: target}, open_target)
    return ConfigSecrets(
        [grant], environ={}, objects=ClusterSecrets(clusters), redactor=redactor
    )


def value(found, key="token", environment=PROD):
    return found.resolve(SecretRef(name="forge", key=key), environment=environment)


def test_a_key_of_a_secret_in_the_target_s_namespace_is_read_anew_each_time(
    cluster, kubeconfig, namespace
):
    found = secrets(kubeconfig, namespace)
    secret(cluster, namespace, token="old")
    assert value(found) == Secret("old")

    secret(cluster, namespace, token=CANARY)

    assert value(found) == Secret(CANARY)


def test_without_a_key_the_only_one_is_meant(cluster, kubeconfig, namespace):
    secret(cluster, namespace, token=CANARY)

    assert value(secrets(kubeconfig, namespace), key="") == Secret(CANARY)


def test_the_daemon_s_own_uses_are_asked_as_itself(cluster, kubeconfig, namespace):
    secret(cluster, namespace, token=CANARY)
    rule = ImpersonationRule(
        environments=("*",), identity=service_account(namespace, "nobody")
    )
    found = secrets(kubeconfig, namespace, rule=(rule,))

    assert value(found, environment=None) == Secret(CANARY)


def test_an_environment_reads_as_whom_it_is_delivered(
    cluster, kubeconfig, namespace, tmp_path
):
    """The daemon may do nothing but impersonate."""
    secret(cluster, namespace, token=CANARY)
    for name in ("deployer", "nobody"):
        of_account(kubeconfig, namespace, tmp_path, name)
    read = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    allow(cluster, namespace, read)
    right = {"apiGroups": [""], "resources": ["serviceaccounts"]}
    right |= {"resourceNames": ["deployer", "nobody"], "verbs": ["impersonate"]}
    daemon = of_account(kubeconfig, namespace, tmp_path, "daemon")
    allow(cluster, namespace, right, name="daemon")

    def as_account(account):
        rule = ImpersonationRule(
            environments=("shop/*",), identity=service_account(namespace, account)
        )
        return secrets(daemon, namespace, rule=(rule,))

    assert value(as_account("deployer")) == Secret(CANARY)
    with pytest.raises(
        TerminalError, match=f"system:serviceaccount:{namespace}:nobody"
    ):
        value(as_account("nobody"))
    with pytest.raises(TerminalError, match="cannot be read"):
        value(as_account("deployer"), environment=None)


def test_what_is_not_there_is_said_by_key_and_never_by_value(
    cluster, kubeconfig, namespace
):
    found = secrets(kubeconfig, namespace)
    with pytest.raises(TerminalError, match="target here has no Secret forge"):
        value(found)
    secret(cluster, namespace, token=CANARY, user="ann")

    with pytest.raises(TerminalError, match="its keys: token, user") as caught:
        value(found, key="")

    assert caught.value.reason == "SecretNotFound"
    assert CANARY not in str(caught.value)


def test_a_binary_value_is_none(cluster, kubeconfig, namespace):
    data = base64.b64encode(b"\xff\xfe").decode()
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "forge", "namespace": namespace},
        "data": {"token": data},
    }
    cluster.apply(manifest)

    with pytest.raises(TerminalError, match="its keys: none"):
        value(secrets(kubeconfig, namespace))


def test_a_value_is_masked_from_the_moment_it_is_read(cluster, kubeconfig, namespace):
    redactor = Redactor()
    secret(cluster, namespace, token=CANARY)

    value(secrets(kubeconfig, namespace, redactor=redactor))

    assert redactor.text(f"got {CANARY}") == "got ***"


def test_a_cluster_that_does_not_answer_is_asked_again(tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
        "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\n"
        "users: [{name: a, user: {}}]\n"
    )

    with pytest.raises(TransientError, match="secret forge/token: "):
        value(secrets(path, "default"))


def test_a_folder_has_no_secrets_to_give(tmp_path):
    target = TargetConfig(name=HERE, kind=TargetKind.DIRECTORY, path=str(tmp_path))
    clusters = ClusterSecrets(ConfiguredClusters({HERE: target}, open_target))

    with pytest.raises(TerminalError, match="is a folder"):
        clusters.read(KubernetesSource(target=HERE, name="forge"), PROD)


def test_a_grant_counts_before_the_cluster_is_asked(tmp_path):
    found = secrets(tmp_path / "none", "default")

    with pytest.raises(TerminalError, match="is not granted to web/prod"):
        value(found, environment=EnvironmentId("web/prod"))
