"""The sandbox as a process: it outlives who started it, and loses nothing."""

from __future__ import annotations

import base64
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from gitops_wf.sandbox import process


def client(kubeconfig: Path, *, token: str | None = None) -> httpx.Client:
    config = yaml.safe_load(kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
    if token is None:
        token = config["users"][0]["user"]["token"]
    return httpx.Client(
        base_url=cluster["server"],
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        },
        verify=ssl.create_default_context(cadata=ca),
        timeout=10,
    )


@contextmanager
def running(path: Path, **options):
    info = process.start(path, delay="20ms", **options)
    try:
        yield info
    finally:
        process.stop(path)


def config_map(name: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def gone(pid: int, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return True
        except ChildProcessError:
            return True
        time.sleep(0.01)
    return False


def test_a_started_sandbox_answers_and_a_second_start_finds_it(tmp_path):
    with running(tmp_path / "box") as first:
        second = process.start(tmp_path / "box")

        with client(first.kubeconfig) as api:
            assert api.get("/readyz").text == "ok"
            names = [
                one["metadata"]["name"]
                for one in api.get("/api/v1/namespaces").json()["items"]
            ]
        assert "default" in names
        assert first.fresh
        assert not second.fresh
        assert second.pid == first.pid
        assert process.status(tmp_path / "box") == second


def test_only_the_token_of_its_kubeconfig_is_let_in(tmp_path):
    with running(tmp_path / "box") as info:
        with client(info.kubeconfig, token="guess") as stranger:
            assert stranger.get("/api/v1/namespaces").status_code == 401
        assert info.kubeconfig.stat().st_mode & 0o077 == 0


def test_state_address_and_token_survive_a_restart(tmp_path):
    with running(tmp_path / "box") as first:
        before = first.kubeconfig.read_text()
        with client(first.kubeconfig) as api:
            api.post(CONFIG_MAPS, json=config_map("kept")).raise_for_status()

    assert process.status(tmp_path / "box") is None

    with running(tmp_path / "box") as second, client(second.kubeconfig) as api:
        assert second.kubeconfig.read_text() == before
        assert api.get(f"{CONFIG_MAPS}/kept").status_code == 200


def test_kill_9_loses_nothing_that_was_answered(tmp_path):
    with running(tmp_path / "box") as info:
        with client(info.kubeconfig) as api:
            for number in range(30):
                answer = api.post(CONFIG_MAPS, json=config_map(f"c{number}"))
                answer.raise_for_status()
        os.kill(info.pid, signal.SIGKILL)
        assert gone(info.pid)
        assert process.status(tmp_path / "box") is None

        again = process.start(tmp_path / "box")
        with client(again.kubeconfig) as api:
            found = api.get(CONFIG_MAPS).json()["items"]
        assert len([one for one in found if one["metadata"]["name"][0] == "c"]) == 30


def test_a_rollout_goes_on_after_kill_9(tmp_path):
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "nginx:1"}]},
            },
        },
    }
    path = "/apis/apps/v1/namespaces/default/deployments"
    with running(tmp_path / "box") as info:
        with client(info.kubeconfig) as api:
            api.post(path, json=web).raise_for_status()
        os.kill(info.pid, signal.SIGKILL)
        assert gone(info.pid)

        again = process.start(tmp_path / "box")
        with client(again.kubeconfig) as api:
            end = time.monotonic() + 20
            while time.monotonic() < end:
                status = api.get(f"{path}/web").json()["status"]
                if status.get("availableReplicas") == 3:
                    break
                time.sleep(0.05)
        assert status["availableReplicas"] == 3


def test_sigterm_ends_it_even_while_a_watch_is_open(tmp_path):
    with running(tmp_path / "box") as info, client(info.kubeconfig) as api:
        watch = {"watch": "true"}
        with api.stream("GET", CONFIG_MAPS, params=watch) as stream:
            lines = stream.iter_lines()
            assert next(lines)

            os.kill(info.pid, signal.SIGTERM)

            assert gone(info.pid)
            assert process.status(tmp_path / "box") is None


def test_reset_empties_the_cluster_at_the_same_address(tmp_path):
    with running(tmp_path / "box") as info:
        with client(info.kubeconfig) as api:
            api.post(CONFIG_MAPS, json=config_map("gone")).raise_for_status()

        after = process.reset(tmp_path / "box")

        assert after is not None
        assert after.url == info.url
        with client(after.kubeconfig) as api:
            assert api.get(f"{CONFIG_MAPS}/gone").status_code == 404


def test_reset_of_a_stopped_sandbox_leaves_it_stopped(tmp_path):
    with running(tmp_path / "box"):
        pass

    assert process.reset(tmp_path / "box") is None
    assert process.status(tmp_path / "box") is None


def test_stop_says_whether_anything_ran(tmp_path):
    assert process.stop(tmp_path / "box") is False
    with running(tmp_path / "box"):
        assert process.stop(tmp_path / "box") is True
        assert process.stop(tmp_path / "box") is False


def test_a_port_that_was_taken_meanwhile_is_given_up(tmp_path):
    with running(tmp_path / "box") as info:
        port = int(info.url.rpartition(":")[2])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()

        with running(tmp_path / "box") as moved, client(moved.kubeconfig) as api:
            assert moved.url != info.url
            assert api.get("/readyz").text == "ok"


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        port = other.getsockname()[1]
        with pytest.raises(process.SandboxError) as caught:
            process.start(tmp_path / "box", port=port)

    assert str(caught.value) == (
        f"sandbox in {tmp_path / 'box'} did not start: port {port} is in use by another"
        " process; name another by --port"
    )


def test_a_directory_that_cannot_be_made_is_an_error_that_says_why(tmp_path):
    (tmp_path / "box").touch()

    with pytest.raises(process.SandboxError, match="its directory cannot be made"):
        process.start(tmp_path / "box")


def test_a_delay_that_is_none_is_an_error_that_says_what_to_write(tmp_path):
    with pytest.raises(process.SandboxError, match="write for example 300ms or 2s"):
        process.start(tmp_path / "box", delay="soon")


def test_a_second_process_on_the_same_directory_says_who_runs(tmp_path):
    with running(tmp_path / "box") as info:
        second = subprocess.run(
            [sys.executable, "-m", "gitops_wf.sandbox", "--dir", tmp_path / "box"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert second.returncode == 1
    assert second.stderr.strip() == (
        f"a sandbox is already running in {tmp_path / 'box'} (pid {info.pid})"
    )
