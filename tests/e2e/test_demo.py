"""The demo as a new user runs it, and what it leaves to go on with."""

import json
import subprocess

import pytest

from gitops_wf.sandbox import process as sandbox_process
from tests.daemons import COMMAND, KUBECTL, cli, environment
from tests.gitworktree import run_git


@pytest.fixture
def place(tmp_path):
    yield tmp_path / "demo"
    sandbox_process.stop(tmp_path / "demo" / "sandbox")


def test_the_demo_plays_a_release_and_leaves_all_of_it(place, tmp_path):
    done = subprocess.run(
        [*COMMAND, "demo", "--auto", "--keep", str(place)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.partition("What was promised")[2]
    assert "False" not in summary
    assert [line.split()[0] for line in summary.splitlines()[2:9]] == ["True"] * 7
    left = json.loads(cli("get", "revisions", "prod", "-o", "json", cwd=place).stdout)
    assert [(r["number"], r["phase"], r["rollback"]) for r in left] == [
        (3, "Succeeded", True),
        (2, "Failed", False),
        (1, "Succeeded", False),
    ]
    assert "ImagePullBackOff" in left[1]["message"]
    assert left[0]["commit"] == run_git(place / "shop.git", "rev-parse", "main")
    assert "prod#3" in cli("describe", "prod", cwd=place).stdout
    deployed = subprocess.run(
        [KUBECTL, "get", "deployment", "web", "-n", "shop-prod", "-o", "json"],
        env=environment(KUBECONFIG=str(place / "sandbox" / "kubeconfig")),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    web = json.loads(deployed.stdout)
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.27"
    assert web["status"]["readyReplicas"] == 2
    again = cli("demo", "--auto", "--keep", str(place))
    assert again.returncode == 1
    assert "is not empty" in again.stderr
