"""An executor in a process of its own, driven over a pipe; DBOS is a singleton.

What was carried out stands in a witness file, one JSON line per beginning and end,
and outlives a killed process.
"""

import contextlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gitops_wf.adapters.dbos_executor import DbosExecutor, Limits
from gitops_wf.adapters.sql_store import open_store
from gitops_wf.core.errors import TransientError
from gitops_wf.ports.executor import AttemptWork, DeliveryWork, PostponedError, Work
from tests.forkserver import FORKSERVER

PATIENCE = 60


class Witness:
    """The file that tells what was carried out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "witness.jsonl"

    def tell(self, what: str, work: dict[str, Any]) -> None:
        line = {"what": what, "at": time.time(), "pid": os.getpid(), **work}
        with self.file.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def lines(self, what: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        if not self.file.exists():
            return []
        # A process may be killed, or read, in the middle of a line.
        whole = self.file.read_text().rpartition("\n")[0].splitlines()
        lines = [json.loads(line) for line in whole]
        return [
            line
            for line in lines
            if (what is None or line["what"] == what)
            and all(line.get(key) == value for key, value in fields.items())
        ]

    def wait(self, count: int, what: str, **fields: Any) -> list[dict[str, Any]]:
        deadline = time.monotonic() + PATIENCE
        while len(found := self.lines(what, **fields)) < count:
            assert time.monotonic() < deadline, (what, fields, self.lines())
            time.sleep(0.01)
        return found

    def release(self) -> None:
        """Let all held work end."""
        (self.folder / "release").touch()

    def most_at_once(self, key: str) -> Counter[str]:
        """How many with the same value of a field were ever carried out together."""
        now: Counter[str] = Counter()
        most: Counter[str] = Counter()
        for line in self.lines():
            now[line[key]] += 1 if line["what"] == "begun" else -1
            most[line[key]] = max(most[line[key]], now[line[key]])
        return most


class ExecutorProcess:
    """A child process; every call is answered before it returns."""

    def __init__(self, location: str, witness: Witness, **settings: Any) -> None:
        self.witness = witness
        self.pipe, theirs = FORKSERVER.Pipe()
        opening = {"location": location, "folder": str(witness.folder), **settings}
        self.process = FORKSERVER.Process(target=serve, args=(theirs, opening))
        self.process.start()
        theirs.close()
        assert self.answer() == "open"

    def ask(self, command: str, **arguments: Any) -> Any:
        self.pipe.send({"command": command, **arguments})
        return self.answer()

    def answer(self) -> Any:
        assert self.pipe.poll(PATIENCE), "the process does not answer"
        return self.pipe.recv()

    def start(self) -> None:
        self.ask("start")

    def stop(self) -> None:
        self.ask("stop")

    def enqueue(self, *works: dict[str, Any], commit: bool = True) -> float:
        answer: float = self.ask("enqueue", works=works, commit=commit)
        return answer

    def forget(self, before: datetime) -> int:
        count: int = self.ask("forget", before=before.isoformat())
        return count

    def kill(self) -> None:
        self.process.kill()
        self.process.join(PATIENCE)

    def end(self) -> int | None:
        """Let the main thread run out, as a daemon after SIGTERM would."""
        self.pipe.close()
        self.process.join(PATIENCE)
        return self.process.exitcode


@contextlib.contextmanager
def executor_process(
    location: str, witness: Witness, **settings: Any
) -> Iterator[ExecutorProcess]:
    child = ExecutorProcess(location, witness, **settings)
    try:
        yield child
    finally:
        child.kill()
        child.pipe.close()
        child.process.close()


def an_attempt(run: str, step: str = "quick", **fields: Any) -> dict[str, Any]:
    """An AttemptWork; the step's name says what it does."""
    return {
        "environment": "shop/prod",
        "run": run,
        "step": step,
        "attempt": 1,
        "look": 0,
        "target": None,
        **fields,
    }


def serve(pipe: Connection, opening: dict[str, Any]) -> None:
    """Do what is asked until nobody asks any more."""
    witness = Witness(Path(opening["folder"]))

    def to_work(fields: dict[str, Any]) -> Work:
        fields = {**fields, "delay": timedelta(seconds=fields.get("delay", 0))}
        return (DeliveryWork if "delivery" in fields else AttemptWork)(**fields)

    store = open_store(opening["location"])
    limits = Limits(
        at_once=opening.get("at_once", 32),
        per_target=opening.get("per_target", 8),
        grace=timedelta(seconds=opening.get("grace", 3)),
    )
    executor = DbosExecutor(
        store.engine, replica=opening.get("replica", "local"), limits=limits
    )

    def carry_out(work: Work) -> None:
        fields = {k: v for k, v in asdict(work).items() if k != "delay"}
        witness.tell("begun", fields)
        _act(fields, witness)
        witness.tell("ended", fields)

    pipe.send("open")
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        match request["command"]:
            case "start":
                executor.start(carry_out)
                pipe.send("started")
            case "stop":
                executor.stop()
                pipe.send("stopped")
            case "enqueue":
                works = [to_work(fields) for fields in request["works"]]
                with (
                    contextlib.suppress(ZeroDivisionError),
                    store.transaction() as transaction,
                ):
                    for work in works:
                        executor.enqueue(transaction, work)
                    if not request["commit"]:
                        raise ZeroDivisionError
                pipe.send(time.time())
            case "recount":
                pipe.send(executor.recount_delays())
            case "forget":
                before = datetime.fromisoformat(request["before"])
                pipe.send(executor.forget_finished(before.astimezone(UTC), limit=100))


def _act(fields: dict[str, Any], witness: Witness) -> None:
    tries = len(witness.lines("begun", run=fields.get("run"), step=fields.get("step")))
    match fields.get("step"):
        case "held":
            while not (witness.folder / "release").exists():
                time.sleep(0.01)
        case "hangs":
            threading.Event().wait()
        case "slow":
            time.sleep(0.3)
        case "fails-once" if tries == 1:
            raise RuntimeError("as a bug would")
        case "fails-twice" if tries <= 2:
            raise RuntimeError("as a bug would")
        case "too-early" if tries <= 3:
            raise PostponedError("not yet", retry_after=timedelta(seconds=0.1))
        case "asks-for-time" if tries == 1:
            raise TransientError("not now", retry_after=timedelta(seconds=1.5))
