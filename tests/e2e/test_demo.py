"""The demo as a new user runs it, and what it leaves to go on with."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from gitops_wf.sandbox import process as sandbox_process
from tests.daemons import COMMAND, KUBECTL, cli, environment, eventually
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
    assert [line.split()[0] for line in summary.splitlines()[2:10]] == ["True"] * 8
    left = json.loads(cli("get", "revisions", "prod", "-o", "json", cwd=place).stdout)
    assert [(r["number"], r["phase"], r["rollback"]) for r in left] == [
        (3, "Succeeded", True),
        (2, "Failed", False),
        (1, "Succeeded", False),
    ]
    assert "ImagePullBackOff" in left[1]["message"]
    assert left[0]["commit"] == run_git(place / "shop.git", "rev-parse", "main")
    assert "prod#3" in cli("describe", "prod", cwd=place).stdout
    owned = cli("get", "inventory", "prod", "-o", "json", cwd=place)
    assert {each["kind"] for each in json.loads(owned.stdout)[0]["objects"]} == {
        *("Deployment", "Namespace", "Service"),
    }
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


def test_an_interrupted_demo_leaves_no_process_behind(place, tmp_path):
    with (tmp_path / "out").open("wb") as out:
        demo = subprocess.Popen(
            [*COMMAND, "demo", "--auto", "--keep", str(place)],
            env=environment(),
            stdout=out,
            stderr=out,
        )
    try:
        store = place / "gitops-wf.db.lock"
        eventually(lambda: store.exists() and store.read_text(), what="the daemon")
        daemon = int(store.read_text())
        demo.send_signal(signal.SIGINT)

        assert demo.wait(timeout=60) == 130
    finally:
        if demo.poll() is None:
            demo.kill()
            demo.wait()

    assert sandbox_process.status(place / "sandbox") is None
    assert not Path(f"/proc/{daemon}").exists()
