"""A person's day at the command line: init, run --sandbox, approve, roll back."""

import json
import signal
import subprocess

import pytest

from gitops_wf.sandbox import process as sandbox_process
from tests.daemons import COMMAND, cli, environment, eventually
from tests.gitworktree import run_git

ANN = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ann"), ("EMAIL", "ann@example.com"))
}


@pytest.fixture
def shop(tmp_path):
    assert cli("init", "shop", cwd=tmp_path).returncode == 0
    return tmp_path / "shop"


@pytest.fixture
def daemon(shop, tmp_path):
    """`gitops-wf run --sandbox --repo .`, as the README has it."""
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "run", "--sandbox", "--repo", "."],
            cwd=shop,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    eventually(
        lambda: (
            process.poll() is not None
            or cli("describe", "prod", cwd=shop).returncode == 0
        ),
        what="the daemon to know prod",
    )
    assert process.poll() is None, (tmp_path / "log").read_text()
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()
    sandbox_process.stop(shop / ".gitops-wf" / "sandbox")


def test_a_release_is_approved_broken_and_rolled_back_by_commands(shop, daemon):
    def wait(*arguments):
        return cli("wait", *arguments, "--timeout", "60s", cwd=shop)

    def change(old, new, message):
        file = shop / "envs/prod/web.yaml"
        file.write_text(file.read_text().replace(old, new))
        run_git(shop, "commit", "-qam", message, env=environment(**ANN))

    assert wait("prod#1", "--for", "suspended").returncode == 0
    approved = cli("approve", "prod", "--comment", "go", cwd=shop, **ANN)
    assert approved.returncode == 0, approved.stderr
    assert "which the daemon watches" in approved.stderr
    assert wait("prod#1").returncode == 0

    change("nginx:1.27", "nginx:broken", "Release 2")
    sha = run_git(shop, "rev-parse", "HEAD")
    assert wait("prod", "--revision", sha, "--for", "suspended").returncode == 0
    assert cli("approve", "prod", cwd=shop, **ANN).returncode == 0
    failed = wait("prod#2")
    assert failed.returncode == 1
    assert "ImagePullBackOff" in failed.stdout

    assert cli("rollback", "prod", cwd=shop, **ANN).returncode == 0
    assert wait("prod#3").returncode == 0
    rows = json.loads(cli("history", "prod", "-o", "json", cwd=shop).stdout)
    assert [(row["phase"], row["approvedBy"]) for row in rows] == [
        ("Succeeded", []),
        ("Failed", ["ann@example.com"]),
        ("Succeeded", ["ann@example.com"]),
    ]
    assert rows[0]["rollbackOf"] == 1
    assert run_git(shop, "status", "--porcelain") == ""

    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(timeout=30) == 0
    running = json.loads(cli("sandbox", "status", "-o", "json", cwd=shop).stdout)
    assert running["running"]
    assert cli("sandbox", "stop", cwd=shop).returncode == 0
    assert cli("sandbox", "status", cwd=shop).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--sandbox",), "--sandbox needs --repo"),
        (("--repo", "."), "go with --sandbox"),
        (("--sandbox", "--repo", ".", "--config", "x.yaml"), "one of the two"),
        (("--sandbox", "--repo", "."), "no repository with a branch"),
    ],
)
def test_run_says_how_it_wants_to_be_called(tmp_path, arguments, told):
    done = cli("run", *arguments, cwd=tmp_path)

    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())


def test_a_sandbox_of_its_own_is_found_again_where_it_was_started(tmp_path):
    try:
        started = cli("sandbox", "start", cwd=tmp_path)
        again = cli("sandbox", "start", cwd=tmp_path)
        emptied = cli("sandbox", "reset", cwd=tmp_path)
        kubeconfig = tmp_path / ".gitops-wf" / "sandbox" / "kubeconfig"

        assert started.returncode == again.returncode == emptied.returncode == 0
        assert f"export KUBECONFIG={kubeconfig}" in started.stdout
        assert "runs already" in again.stdout
        assert "started again" in emptied.stdout
        assert cli("sandbox", "stop", cwd=tmp_path).stdout.endswith("stopped\n")
    finally:
        sandbox_process.stop(tmp_path / ".gitops-wf" / "sandbox")
