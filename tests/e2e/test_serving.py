"""The daemon's HTTP side, as a process and asked from outside."""

import re
import socket

import httpx
import pytest

from gitops_wf.bootstrap.configs import load_config
from tests.contract.git_remotes import served
from tests.daemons import DaemonProcess, cli, eventually
from tests.gitworktree import GitWorkTree

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: say, type: print-message-in-status, properties: {message: hello}}
  - {name: go-live, type: suspend}
"""


def config_for(url: str, server: str, store: str) -> str:
    repositories = f"{{shop: {{url: {url}, interval: 1s}}}}"
    return f"store: {store}\nserver: {server}\nrepositories: {repositories}\n"


@pytest.fixture
def daemon(tmp_path, store_location):
    """A daemon that serves on a free port, and a repository with one environment."""
    with served(tmp_path, "path") as remote:
        folder = tmp_path / "daemon"
        folder.mkdir()
        config = folder / "gitops-wf.yaml"
        config.write_text(config_for(remote.url, "127.0.0.1:0", store_location))
        remote.work.push_commit({"envs/web/workflow.yaml": WORKFLOW}, "First")
        made = DaemonProcess(folder, config)
        yield made
        made.close()


def total(text: str, metric: str) -> float:
    """The sum of a metric's samples."""
    samples = re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, samples))


def test_a_running_daemon_answers_probes_and_scrapes_and_ends_at_sigterm(daemon):
    daemon.start()
    url = daemon.url
    daemon.reaches("web", ["Suspended"])

    health = httpx.get(f"{url}/healthz").json()
    assert health["healthy"]
    loops = {"ticks", "polls", "reminder", "messages", "clock", "upkeep", "targets"}
    assert set(health["loops"]) == loops
    assert httpx.get(f"{url}/readyz").json()["ready"]

    revisions = httpx.get(f"{url}/api/v1/revisions").json()
    assert revisions == daemon.get("revisions")
    assert len(revisions) == 1

    def command(*arguments):
        done = cli(*arguments, "--config", str(daemon.config), cwd=daemon.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "go-live" in command("describe", "web")
    command("pause", "web", "--reason", "an outage")
    eventually(lambda: daemon.logged("pause.began"), what="the pause")
    assert "an outage" in command("describe", "web")
    command("resume", "web")
    eventually(lambda: daemon.logged("pause.ended"), what="the end of the pause")

    text = httpx.get(f"{url}/metrics").text
    assert 'gitops_wf_runs_active{phase="Suspended"} 1.0' in text
    assert total(text, "gitops_wf_polls_total") >= 1
    assert total(text, "gitops_wf_git_requests_total") >= 2
    assert total(text, "gitops_wf_step_duration_seconds_count") == 1
    assert "process_resident_memory_bytes" in text

    with httpx.stream("GET", f"{url}/metrics"):  # one that does not read on
        assert daemon.stop() == 0


def test_a_port_in_use_ends_the_start_with_the_address_and_the_mend(daemon):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = daemon.config.read_text().replace(":0\n", f":{port}\n")
        daemon.config.write_text(text)
        daemon.start()

        assert daemon.process.wait(timeout=60) != 0

    daemon.process = None
    assert f"server: 127.0.0.1:{port} cannot be served on" in daemon.log
    assert "Traceback" not in daemon.log


def test_old_revisions_are_forgotten_and_the_metrics_say_so(daemon):
    config = daemon.config.read_text()
    daemon.config.write_text(
        f"{config}retention: {{revisions: 2, runs: 2, events: 9, interval: 1s}}\n"
    )
    daemon.start()
    url = daemon.url
    daemon.reaches("web", ["Suspended"])
    url_of_shop = load_config(daemon.config).repositories[0].url
    repository = GitWorkTree.clone(url_of_shop, daemon.folder / "again")
    for number in range(2, 6):
        repository.commit({"envs/web/cm.yaml": f"a: {number}\n"})
    repository.push()

    eventually(
        lambda: [r["number"] for r in daemon.get("revisions", "web")] == [5, 4],
        what="old revisions to be forgotten",
    )

    deleted = 'gitops_wf_housekeeping_deleted_total{kind="revisions"} 3.0'
    metrics = eventually(
        lambda: (text := httpx.get(f"{url}/metrics").text) and deleted in text and text,
        what="the metrics to say so",
    )
    assert total(metrics, "gitops_wf_housekeeping_last_success_timestamp_seconds") > 0
    assert daemon.stop() == 0
