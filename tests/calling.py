"""A daemon whose releases call a receiver: who was called twice is seen from outside."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.contract.git_remotes import served
from tests.daemons import DaemonProcess
from tests.gitserver import GitWorkTree
from tests.receivers import OK, HttpReceiver, Received, Reply, http_receiver
from tests.releases import approval


def workflow(receiver: HttpReceiver, name: str) -> str:
    """Call, wait for an approval, call again."""
    return f"""\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - name: call
    type: webhook
    properties: {{url: '{receiver.url}/call/{name}', timeout: 60s}}
  - {{name: go-live, type: suspend}}
  - {{name: tell, type: webhook, properties: {{url: '{receiver.url}/tell/{name}'}}}}
"""


@dataclass
class Calling:
    """The daemon, the repository that it watches, and who is called."""

    daemon: DaemonProcess
    work: GitWorkTree
    receiver: HttpReceiver

    def push(self, *names: str) -> str:
        """Begin a first release of these environments; returns its commit."""
        files = {
            f"envs/{name}/workflow.yaml": workflow(self.receiver, name)
            for name in names
        }
        return self.work.push_commit(files, "First")

    def approve(self, name: str, commit: str) -> None:
        text = approval(commit, "go-live", by=self.work.author)
        self.work.push_commit({f"envs/{name}/approvals.yaml": text}, "Approve")

    def hold(self, path: str) -> threading.Event:
        """Let calls of a path have no answer until the event is set."""
        answered = threading.Event()

        def answer(received: Received) -> Reply:
            if received.path == path:
                assert answered.wait(60)
            return OK

        self.receiver.answer = answer
        return answered

    def calls(self, what: str, name: str) -> int:
        """How often the receiver was called."""
        return len(self.receiver.at(f"/{what}/{name}"))


@contextmanager
def calling(folder: Path, store: str | Path, *, more: str = "") -> Iterator[Calling]:
    """A daemon on a store that has not been started; `more` is of its config."""
    with ExitStack() as stack:
        remote = stack.enter_context(served(folder, "path"))
        receiver = stack.enter_context(http_receiver())
        place = folder / "daemon"
        place.mkdir()
        config = place / "gitops-wf.yaml"
        config.write_text(
            f"store: {store}\nserver: 127.0.0.1:0\n"
            f"repositories: {{shop: {{url: {remote.url}, interval: 1s}}}}\n{more}"
        )
        daemon = DaemonProcess(place, config)
        stack.callback(daemon.close)
        yield Calling(daemon, remote.work, receiver)
