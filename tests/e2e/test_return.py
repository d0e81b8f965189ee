"""Losses under a daemon that is a process: its store, its clone, its being alone.

What came of each is asked of the sandbox's own log and of a receiver's.
"""

import os
import subprocess
from contextlib import ExitStack, closing

import pytest

from tests.contract.git_remotes import served
from tests.daemons import COMMAND, DaemonProcess, environment, eventually
from tests.e2e.test_first_light import WORKFLOW, manifests
from tests.receivers import HttpReceiver
from tests.releases import approval

CONFIG = """\
instance: {instance}
adopt: {adopt}
repositories: {{shop: {{url: '{url}', interval: 1s}}}}
secrets: {{hook: {{env: HOOK_URL, hosts: ['127.0.0.1']}}}}
notifications:
  channels: {{ops: {{type: webhook, url: {{secretRef: {{name: hook}}}}}}}}
  notify: [{{channel: ops, on: [created, suspended, succeeded, failed]}}]
targets:
  staging: {{{cluster}, namespace: staging}}
  prod: {{{cluster}, namespace: prod}}
"""


class World:
    """A repository, a receiver, and daemons over one cluster."""

    def __init__(self, path, stack):
        self.path = path
        self.stack = stack
        self.remote = stack.enter_context(served(path, "path"))
        self.hook = stack.enter_context(closing(HttpReceiver()))
        self.work = self.remote.work
        self.first = self.daemon("first", "sandbox: true")

    def daemon(self, instance, cluster, *, adopt=False):
        folder = self.path / instance
        folder.mkdir(exist_ok=True)
        self.configure(instance, cluster, adopt=adopt)
        # Receivers are on loopback, which channels may reach by their host alone.
        env = {"HOOK_URL": f"{self.hook.url}/ops"}
        daemon = DaemonProcess(folder, folder / "gitops-wf.yaml", env=env)
        self.stack.callback(daemon.close)
        return daemon

    def configure(self, instance, cluster, *, adopt=False):
        text = CONFIG.format(
            instance=instance,
            adopt=str(adopt).lower(),
            url=self.remote.url,
            cluster=cluster,
        )
        (self.path / instance / "gitops-wf.yaml").write_text(text)

    def push(self, value, image="nginx:1.27"):
        return self.work.push_commit(
            {
                "envs/web/workflow.yaml": WORKFLOW,
                "envs/web/web.yaml": manifests(value, image),
            },
            f"Set {value}",
        )

    def approve(self, sha):
        name = f"envs/web/approvals/{sha[:8]}.yaml"
        text = approval(sha, "go-live", by=self.work.author)
        self.work.push_commit({name: text}, "Approve")

    def told(self):
        return [request.json for request in self.hook.received]

    def lose_store(self):
        """The daemon dies, and its store with it; the cluster and Git stay."""
        if self.first.process is not None:
            self.first.kill()
        for file in (self.first.folder / ".gitops-wf").glob("gitops-wf.db*"):
            if not file.name.endswith(".lock"):
                file.unlink()
        self.first.start()


@pytest.fixture
def world(tmp_path):
    with ExitStack() as stack:
        yield World(tmp_path, stack)


def delivered(daemon):
    """Writes into the targets; their namespaces are made by whoever starts it."""
    return daemon.writes("/namespaces/staging/") + daemon.writes("/namespaces/prod/")


@pytest.mark.long
def test_a_store_lost_in_any_phase_of_a_release_changes_nothing_of_how_it_ends(world):
    daemon = world.first
    daemon.start()
    web = "/namespaces/staging/configmaps/web"

    # Before the first delivery has ended.
    one = world.push("one")
    eventually(lambda: daemon.value("staging") == "one", what="the first write")
    world.lose_store()
    daemon.reaches("web", ["Suspended"])
    assert len(daemon.writes(web)) == 1

    # While it waits, and once more when the approval came meanwhile.
    world.lose_store()
    daemon.reaches("web", ["Suspended"])
    daemon.kill()
    world.approve(one)
    world.lose_store()
    daemon.reaches("web", ["Succeeded"])
    assert daemon.value("prod") == "one"
    (revision,) = daemon.get("revisions")
    assert (revision["number"], revision["commit"]) == (1, one)
    assert len(daemon.writes(web)) == 1

    # After success.
    count, told = len(delivered(daemon)), len(world.told())
    world.lose_store()
    daemon.reaches("web", ["Succeeded/Adopted"])
    assert len(delivered(daemon)) == count
    assert len(world.told()) == told

    # After a failure: it is tried again, and fails again.
    bad = world.push("bad", "nginx:broken")
    daemon.reaches("web", ["Succeeded/Adopted", "Failed/HealthCheckFailed"])
    world.lose_store()
    daemon.reaches("web", ["Failed/HealthCheckFailed"])
    (revision,) = daemon.get("revisions")
    assert (revision["number"], revision["commit"]) == (2, bad)

    # After what mended it, by a revert and its approval.
    world.work.revert(bad)
    back = world.work.push()
    daemon.reaches("web", ["Failed/HealthCheckFailed", "Suspended"])
    world.approve(back)
    daemon.reaches("web", ["Failed/HealthCheckFailed", "Succeeded"])
    count = len(delivered(daemon))
    world.lose_store()
    daemon.reaches("web", ["Succeeded/Adopted"])
    assert daemon.value("prod") == "one"
    (revision,) = daemon.get("revisions")
    assert (revision["number"], revision["commit"]) == (3, back)
    assert len(delivered(daemon)) == count


@pytest.mark.long
def test_two_daemons_on_one_cluster_are_told_apart_and_one_takes_over(world):
    first = world.first
    first.start()
    one = world.push("one")
    first.reaches("web", ["Suspended"])
    world.approve(one)
    first.reaches("web", ["Succeeded"])
    cluster = f"kubeconfig: '{first.sandbox / 'kubeconfig'}'"
    second = world.daemon("second", cluster)

    second.start()
    second.reaches("web", ["Errored/OwnedByAnother"])
    (revision,) = second.get("revisions")
    assert "instance first wrote" in revision["message"]
    second.stop()

    # It takes over while the first is away for a while.
    first.kill()
    world.configure("second", cluster, adopt=True)
    second.start()
    second.reaches("web", ["Errored/OwnedByAnother", "Succeeded/Adopted"])
    world.push("two")
    eventually(lambda: first.value("staging") == "two", what="the second's write")
    second.reaches("web", ["Errored/OwnedByAnother", "Succeeded/Adopted", "Suspended"])

    first.start()
    first.reaches("web", ["Succeeded", "Errored/OwnedByAnother"])
    count = len(first.writes("/namespaces/staging"))
    world.push("three")
    eventually(lambda: first.value("staging") == "three", what="the second's write")
    first.reaches("web", ["Succeeded"] + ["Errored/OwnedByAnother"] * 2)
    assert len(first.writes("/namespaces/staging")) > count
    newest = first.get("revisions")[0]
    assert "instance second wrote" in newest["message"]


def run_to_its_end(daemon):
    return subprocess.run(
        [*COMMAND, "run", "--config", str(daemon.config)],
        cwd=daemon.folder,
        env=environment(**daemon.env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_second_process_and_a_damaged_store_are_refused_with_what_to_do(world):
    daemon = world.first
    daemon.start()
    one = world.push("one")
    daemon.reaches("web", ["Suspended"])

    second = run_to_its_end(daemon)

    assert second.returncode == 1
    assert f"is in use by process {daemon.process.pid}: one daemon" in second.stderr
    assert daemon.stop() == 0
    file = daemon.folder / ".gitops-wf" / "gitops-wf.db"
    size = file.stat().st_size // 4096 // 2 * 4096
    with file.open("r+b") as opened:
        opened.seek(size)
        opened.write(os.urandom(8192))
    damaged = file.read_bytes()

    refused = run_to_its_end(daemon)

    assert refused.returncode == 1
    assert f"store {file}" in refused.stderr
    assert "move the file away" in refused.stderr
    assert file.read_bytes() == damaged
    world.lose_store()
    daemon.reaches("web", ["Suspended"])
    assert daemon.get("revisions")[0]["commit"] == one
