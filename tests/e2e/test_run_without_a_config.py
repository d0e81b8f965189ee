"""`gitops-wf run --sandbox --repo PATH`: a repository as it is, and nothing else."""

from contextlib import contextmanager

import pytest

from tests.daemons import DaemonProcess
from tests.gitserver import GitWorkTree, bare_repository

ENVIRONMENT = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Environment
targets: [prod-eu, prod-us]
"""
CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {value: one}
"""


@contextmanager
def watching(repository, folder):
    folder.mkdir()
    daemon = DaemonProcess(folder, None, repository, is_forked=False)
    try:
        yield daemon
    finally:
        daemon.close()


@pytest.fixture
def daemon(tmp_path):
    repository = bare_repository(tmp_path / "shop.git")
    with watching(repository, tmp_path / "daemon") as daemon:
        yield daemon


def test_every_target_that_a_repository_names_is_a_namespace_of_the_sandbox(daemon):
    work = GitWorkTree.init(
        daemon.folder.parent / "work", remote=str(daemon.repository)
    )
    work.push_commit(
        {"envs/prod/environment.yaml": ENVIRONMENT, "envs/prod/web.yaml": CONFIG_MAP}
    )

    daemon.start()

    daemon.reaches("prod", ["Succeeded"])
    assert [daemon.value("prod-eu"), daemon.value("prod-us")] == ["one", "one"]
    (run,) = daemon.get("runs")
    assert [step["name"] for step in run["steps"]] == [
        "deploy-prod-eu",
        "deploy-prod-us",
    ]


def test_a_folder_of_a_work_tree_stands_for_its_repository(tmp_path):
    work = GitWorkTree.init(tmp_path / "work")
    work.commit({"envs/prod/environment.yaml": ENVIRONMENT.replace(", prod-us", "")})

    with watching(tmp_path / "work/envs", tmp_path / "daemon") as daemon:
        daemon.start()

        daemon.reaches("prod", ["Succeeded"])
