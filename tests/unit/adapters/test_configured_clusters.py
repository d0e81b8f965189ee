"""Targets of the daemon config: opened once, and again when their file changes."""

import os

import pytest

from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.core.config import TargetConfig, TargetKind
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.impersonation import Identity, ImpersonationRule

EU, US = TargetName("eu"), TargetName("us")
PROD, TEST = EnvironmentId("shop/prod"), EnvironmentId("shop/test")


def clusters(path, opened, **fields):
    def config(name):
        return TargetConfig(
            name=name, kind=TargetKind.KUBECONFIG, path=str(path), **fields
        )

    def open_target(target):
        opened.append(target.name)
        return object()

    return ConfiguredClusters({EU: config(EU), US: config(US)}, open_target)


def test_targets_on_one_server_share_its_connections(tmp_path):
    opened = []
    found = clusters(tmp_path / "none", opened)

    assert found.cluster(EU, PROD) is found.cluster(US, PROD) is found.cluster(EU, PROD)
    assert opened == [EU]


def test_a_kubeconfig_that_was_rewritten_is_read_again(tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text("a")
    opened = []
    found = clusters(path, opened)
    first = found.cluster(EU, PROD)

    os.utime(path, ns=(1, 1))

    assert found.cluster(EU, PROD) is not first
    assert opened == [EU, EU]


def test_a_target_that_is_not_there_is_named_beside_those_that_are(tmp_path):
    with pytest.raises(TerminalError, match=r"target asia .*there: eu, us") as caught:
        clusters(tmp_path, []).cluster(TargetName("asia"), PROD)

    assert caught.value.reason == "TargetNotConfigured"


def test_where_any_target_may_be_named_one_is_made_once():
    made = []

    def unknown(name):
        made.append(name)
        return TargetConfig(name=name, kind=TargetKind.KUBECONFIG, namespace=name)

    found = ConfiguredClusters({}, lambda _: object(), unknown)

    assert found.namespace(EU) == "eu"
    assert found.cluster(EU, PROD) is found.cluster(EU, PROD)
    assert made == [EU]


def test_allow_lists_and_namespace_come_from_the_config(tmp_path):
    found = clusters(tmp_path, [], namespace="shop", kinds=("Secret",))

    assert found.namespace(EU) == "shop"
    assert found.allowed(EU).kinds == ("Secret",)
    assert found.allowed(EU).namespaces is None


def test_an_error_of_opening_names_the_target(tmp_path):
    def refuse(target):
        raise TerminalError("kubeconfig x: no", reason="TargetNotConfigured")

    config = TargetConfig(name=EU, kind=TargetKind.KUBECONFIG)

    with pytest.raises(TerminalError, match="target eu: kubeconfig x: no"):
        ConfiguredClusters({EU: config}, refuse).cluster(EU, PROD)


class Server:
    """Seen as an identity, it is a new one."""

    def __init__(self, identity=None):
        self.identity = identity

    def impersonating(self, identity):
        return Server(identity)


def as_tenants(path):
    rules = tuple(
        ImpersonationRule(environments=(glob,), identity=Identity(user=user))
        for glob, user in (
            ("shop/prod", "one"),
            ("shop/also", "one"),
            ("shop/*", "two"),
        )
    )
    target = TargetConfig(
        name=EU, kind=TargetKind.KUBECONFIG, path=str(path), impersonate=rules
    )
    own = TargetConfig(name=US, kind=TargetKind.KUBECONFIG, path=str(path))
    return ConfiguredClusters({EU: target, US: own}, lambda _: Server())


def test_an_environment_is_delivered_as_the_first_entry_for_it_says(tmp_path):
    found = as_tenants(tmp_path / "none")
    also = EnvironmentId("shop/also")

    assert found.cluster(EU, PROD).identity.user == "one"
    assert found.cluster(EU, TEST).identity.user == "two"
    assert found.cluster(EU, PROD) is found.cluster(EU, also), "lists are shared"
    assert found.cluster(US, PROD).identity is None, "the daemon's own, elsewhere"


@pytest.mark.parametrize("name", ["other/prod", "prod", "x/shop/prod"])
def test_an_environment_that_no_entry_is_for_is_not_delivered(tmp_path, name):
    found = as_tenants(tmp_path / "none")

    with pytest.raises(TerminalError, match=f"for environment {name}: add one"):
        found.cluster(EU, EnvironmentId(name))
