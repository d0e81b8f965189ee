"""Files of a hundred megabytes in Git: told by their size, and never read whole."""

import json
from pathlib import Path

from tests.calling import calling, workflow

HUGE = 100 * 1024 * 1024


def peak(pid: int) -> int:
    """The most memory that a process has had, in bytes (proc(5), VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def test_huge_files_fail_their_own_environment_and_cost_no_memory(tmp_path):
    huge = "# " + "x" * HUGE + "\n"
    with calling(tmp_path, tmp_path / "store.db") as release:
        daemon, receiver = release.daemon, release.receiver
        daemon.config.write_text(
            daemon.config.read_text() + "targets: {prod: {sandbox: true}}\n"
        )
        daemon.start()
        release.push("well")
        daemon.reaches("well", ["Suspended"])
        before = peak(daemon.process.pid)

        release.work.push_commit(
            {
                "envs/flow/workflow.yaml": huge,
                "envs/approved/workflow.yaml": workflow(receiver, "approved"),
                "envs/approved/approvals.yaml": huge,
                "envs/content/environment.yaml": (
                    "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
                    "targets: [prod]\n"
                ),
                "envs/content/web.yaml": huge,
            }
        )
        daemon.reaches("flow", ["Failed/InvalidDefinition"])
        daemon.reaches("approved", ["Suspended"])
        daemon.reaches("content", ["Failed/InvalidDefinition"])
        assert peak(daemon.process.pid) - before < HUGE / 2
        shown = {
            one["environment"]: json.dumps(one) for one in daemon.get("environments")
        }
        assert "approvals.yaml: has 104857603 bytes" in shown["approved"]
        assert "workflow.yaml: has 104857603 bytes" in shown["flow"]
        assert "web.yaml: has 104857603 bytes" in shown["content"]
