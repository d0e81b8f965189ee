"""Targets of the daemon config: opened once, and again when their file changes."""

import os

import pytest

from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.core.config import TargetConfig, TargetKind
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import TargetName

EU, US = TargetName("eu"), TargetName("us")


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

    assert found.cluster(EU) is found.cluster(US) is found.cluster(EU)
    assert opened == [EU]


def test_a_kubeconfig_that_was_rewritten_is_read_again(tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text("a")
    opened = []
    found = clusters(path, opened)
    first = found.cluster(EU)

    os.utime(path, ns=(1, 1))

    assert found.cluster(EU) is not first
    assert opened == [EU, EU]


def test_a_target_that_is_not_there_is_named_beside_those_that_are(tmp_path):
    with pytest.raises(TerminalError, match=r"target asia .*there: eu, us") as caught:
        clusters(tmp_path, []).cluster(TargetName("asia"))

    assert caught.value.reason == "TargetNotConfigured"


def test_where_any_target_may_be_named_one_is_made_once():
    made = []

    def unknown(name):
        made.append(name)
        return TargetConfig(name=name, kind=TargetKind.KUBECONFIG, namespace=name)

    found = ConfiguredClusters({}, lambda _: object(), unknown)

    assert found.namespace(EU) == "eu"
    assert found.cluster(EU) is found.cluster(EU)
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
        ConfiguredClusters({EU: config}, refuse).cluster(EU)
