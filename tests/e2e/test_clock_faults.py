"""The clock is set by hours, forward and back, while a daemon runs."""

from tests.calling import calling
from tests.daemons import eventually
from tests.faketime import FakedClock
from tests.receivers import OK, Reply

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - name: call
    type: webhook
    timeout: 10m
    properties: {{url: '{url}/call/web'}}
  - {{name: pause, type: suspend, properties: {{duration: 3s}}}}
  - {{name: tell, type: webhook, properties: {{url: '{url}/tell/web'}}}}
"""


def test_nothing_waits_for_hours_and_nothing_times_out_where_the_clock_was_set_back(
    tmp_path,
):
    clock = FakedClock(tmp_path / "clock")
    clock.set("+3h")
    with calling(tmp_path, tmp_path / "store.db") as release:
        daemon = release.daemon
        daemon.env |= clock.env
        release.receiver.reply("/call/web", Reply(status=503), OK)
        daemon.start()
        release.work.push_commit(
            {"envs/web/workflow.yaml": WORKFLOW.format(url=release.receiver.url)}
        )

        # The next try is a delay of the queue, kept as a time of the clock.
        eventually(lambda: release.calls("call", "web") == 1, what="the first try")
        clock.set("+0")
        eventually(lambda: release.calls("call", "web") == 2, what="the second try")

        # The end of the pause is a due time of ours.
        daemon.reaches("web", ["Suspended"])
        clock.set("-3h")
        daemon.reaches("web", ["Succeeded"])
        assert release.calls("tell", "web") == 1

        # So are the times of the polls.
        clock.set("-6h")
        eventually(lambda: len(daemon.logged("clock.set")) == 3, what="the third jump")
        commit = release.push("other")
        daemon.reaches("other", ["Suspended"])
        clock.set("+0")
        eventually(lambda: len(daemon.logged("clock.set")) == 4, what="the last jump")
        release.approve("other", commit)
        daemon.reaches("other", ["Succeeded"])

        told = [(one["to"], one["by"]) for one in daemon.logged("clock.set")]
        assert told == [
            ("back", "3h"),
            ("back", "3h"),
            ("back", "3h"),
            ("forward", "6h"),
        ]
        # Not the whole log: libfaketime breaks Python's `time.sleep` where the clock
        # goes back, which ends a thread of DBOS that we have no use for.
        crashes = [
            daemon.logged(f"{loop}.crashed") for loop in ("tick", "poll", "step")
        ]
        assert crashes == [[], [], []]
        assert daemon.stop() == 0
