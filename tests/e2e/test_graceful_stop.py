"""SIGTERM ends the daemon in order; a second signal ends it at once; nothing is lost."""

import signal
import sqlite3
import threading
from contextlib import closing

import pytest

from tests.contract.git_remotes import served
from tests.daemons import DaemonProcess, eventually
from tests.receivers import OK, http_receiver

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {{name: call, type: webhook, properties: {{url: '{url}/call'}}}}
  - {{name: say, type: print-message-in-status, properties: {{message: done}}}}
"""


class InFlight:
    """A daemon whose one attempt is in flight until the receiver may answer."""

    def __init__(self, tmp_path, remote, receiver) -> None:
        folder = tmp_path / "daemon"
        folder.mkdir()
        config = folder / "gitops-wf.yaml"
        config.write_text(
            f"repositories: {{shop: {{url: {remote.url}, interval: 1s}}}}"
        )
        self.daemon = DaemonProcess(folder, config)
        self.receiver = receiver
        self.may_answer = threading.Event()
        receiver.answer = self._answer
        self.daemon.start()
        workflow = WORKFLOW.format(url=receiver.url)
        remote.work.push_commit({"envs/web/workflow.yaml": workflow}, "First")
        self.calls(1)

    def _answer(self, _received):
        self.may_answer.wait(60)
        return OK

    def calls(self, number: int) -> None:
        what = f"{number} calls"
        eventually(lambda: len(self.receiver.received) == number, what=what)

    def signal(self, number: signal.Signals) -> None:
        self.daemon.process.send_signal(number)

    def is_stopping(self) -> None:
        eventually(lambda: "daemon.stopping" in self.daemon.log, what="the stop")

    def ends(self) -> int:
        code = self.daemon.process.wait(timeout=60)
        self.daemon.process = None
        return code

    def steps(self) -> list[tuple[str, str]]:
        (run,) = self.daemon.get("runs")
        return [(s["name"], s["phase"]) for s in run["steps"]]


@pytest.fixture
def in_flight(tmp_path):
    with served(tmp_path, "path") as remote, http_receiver() as receiver:
        made = InFlight(tmp_path, remote, receiver)
        yield made
        made.may_answer.set()
        made.daemon.close()


def test_an_attempt_in_flight_ends_and_is_recorded_and_the_next_start_goes_on(
    in_flight,
):
    in_flight.signal(signal.SIGTERM)
    in_flight.is_stopping()
    in_flight.may_answer.set()

    assert in_flight.ends() == 0
    assert in_flight.steps()[0] == ("call", "Succeeded")
    assert "Traceback" not in in_flight.daemon.log
    assert '"event": "daemon.stopped"' in in_flight.daemon.log
    file = in_flight.daemon.store.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, timeout=0)) as store:
        store.execute("BEGIN EXCLUSIVE")  # nobody holds it any more
        store.rollback()

    in_flight.daemon.start()
    in_flight.daemon.reaches("web", ["Succeeded"])
    assert len(in_flight.receiver.received) == 1
    assert in_flight.daemon.stop() == 0


def test_what_does_not_end_within_the_grace_is_taken_up_at_the_next_start(in_flight):
    in_flight.signal(signal.SIGTERM)

    assert in_flight.ends() == 0
    assert '"event": "work.abandoned"' in in_flight.daemon.log

    in_flight.may_answer.set()
    in_flight.daemon.start()
    in_flight.daemon.reaches("web", ["Succeeded"])
    assert len(in_flight.receiver.received) == 2


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(in_flight, second):
    in_flight.signal(signal.SIGTERM)
    in_flight.is_stopping()
    in_flight.signal(second)

    assert in_flight.ends() == -second
    assert "daemon.stopped" not in in_flight.daemon.log

    in_flight.may_answer.set()
    in_flight.daemon.start()
    in_flight.daemon.reaches("web", ["Succeeded"])


def test_an_interrupt_ends_it_in_order_and_says_so_by_its_exit_code(in_flight):
    in_flight.may_answer.set()
    in_flight.daemon.reaches("web", ["Succeeded"])
    in_flight.signal(signal.SIGINT)

    assert in_flight.ends() == 130
    assert '"event": "daemon.stopped"' in in_flight.daemon.log
