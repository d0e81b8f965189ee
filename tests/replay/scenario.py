"""A recorded scenario and its replay, step by step."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.replay.before import MEANWHILE, prepare, settle
from tests.replay.client import Client, Received, WatchReader
from tests.replay.compare import compare
from tests.replay.placeholders import Bindings, Mismatch

DATA = Path(__file__).parents[1] / "data" / "kubernetes"
POLL_SECONDS = 30.0
UNSTABLE_POLL_SECONDS = 2.0
EVENT_SECONDS = 10.0
_GENERATED = re.compile(
    r'(?P<apply>a server-side apply of )?an? ConfigMap "(?P<name>\w+)" whose '
    r"(?P<place>data\.k|annotation a) is (?P<count>\d+) times the letter x"
)


@dataclass
class Failure:
    """A step whose answer is not the recorded one."""

    step: int
    text: str

    def __str__(self) -> str:
        return f"#{self.step}: {self.text}"


@dataclass
class Open:
    """A watch that the replay holds open, and what it still expects."""

    step: int
    reader: WatchReader
    expected: list[Any]
    bookmarks: bool = False
    failed: bool = False


def load(name: str) -> dict[str, Any]:
    """A scenario by the name of its file."""
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return found


@dataclass
class Replay:
    """Sends a scenario's requests in order and collects what differs."""

    scenario: Mapping[str, Any]
    client: Client
    excluded: Mapping[int, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    before_step: Callable[[int], None] = lambda _n: None

    def __post_init__(self) -> None:
        self.timed = self.scenario.get("timing") == "controllers"
        self.loose = self.timed or self.scenario.get("clock") == "several seconds"
        self.bindings = Bindings(ordered=not self.timed)
        self._open: list[Open] = []

    def run(self) -> list[Failure]:
        """Replay everything; returns the failures."""
        try:
            prepare(self.scenario, self.client)
            session = 0
            for step in self.scenario["steps"]:
                if step.get("session", 0) != session:
                    session = step["session"]
                    settle(self.client)
                meanwhile = MEANWHILE.get((self.scenario["name"], step["n"]))
                if meanwhile is not None:
                    meanwhile(self.client)
                self.before_step(step["n"])
                self._step(step)
            for one in self._open:
                self._events(one, None)
        finally:
            self.client.close()
        return self.failures

    def _fail(self, step: int, text: str) -> None:
        if step not in self.excluded:
            self.failures.append(Failure(step, text))

    def _step(self, step: Mapping[str, Any]) -> None:
        before = self.bindings.copy()
        try:
            if "stream" in step["response"]:
                self._watch(step)
            elif "poll" in step:
                self._poll(step)
            else:
                self._once(step)
        except Mismatch as mismatch:
            self._fail(step["n"], str(mismatch))
            if "unstable" not in step:
                self._salvage(before)
        for one in self._open:
            self._events(one, step["n"])

    def _once(self, step: Mapping[str, Any]) -> None:
        before = self.bindings.copy()
        received = self._send(step)
        try:
            self._compare(step, received)
        except Mismatch:
            newer = self._newer_revision(step) if self.timed else ""
            if not newer:
                raise
            # A controller wrote between two steps, which it had not done then. As any
            # client does, read again and go on from that version; all else counts.
            self.bindings.restore(before)
            self.bindings.values[newer] = self._revision_now(step)
            self._compare(step, self._send(step))

    def _newer_revision(self, step: Mapping[str, Any]) -> str:
        """The version that a step reads or sends, if the object has a newer one now.

        It is named as its placeholder, `rv-3`; '' where there is none such.
        """
        if step["response"]["status"] != 200:
            return ""
        shown = step["request"].get("body")
        if step["request"]["method"] == "GET":
            shown = step["response"].get("body")
        metadata = shown.get("metadata") if isinstance(shown, dict) else None
        name = str((metadata or {}).get("resourceVersion", ""))[1:-1]
        known = self.bindings.values.get(name)
        if not name.startswith("rv-") or known is None:
            return ""
        settle(self.client)
        return name if int(self._revision_now(step) or 0) > int(known) else ""

    def _revision_now(self, step: Mapping[str, Any]) -> str:
        path = self.bindings.fill(step["request"]["path"]).partition("?")[0]
        headers = {"Accept": "application/json"}
        body = self.client.send("GET", path, headers, None).body
        metadata = body.get("metadata") if isinstance(body, dict) else None
        return str((metadata or {}).get("resourceVersion", ""))

    def _salvage(self, before: Bindings) -> None:
        """Keep what a failed comparison bound, so that later steps can be sent."""
        self.bindings.values = {**self.bindings.values, **before.values}

    def _send(self, step: Mapping[str, Any]) -> Received:
        request = step["request"]
        path = self.bindings.fill(request["path"])
        headers = {
            name: self.bindings.fill(value)
            for name, value in request.get("headers", {}).items()
        }
        if isinstance(request.get("body"), dict) and "$protobuf" in request["body"]:
            body: bytes | None = base64.b64decode(request["body"]["base64"])
            # The recording has the answer decoded; a real server would encode it.
            headers["Accept"] = "application/json"
        else:
            body = self._body(request)
        received = self.client.send(
            request["method"], path, headers, body, request.get("auth", "")
        )
        if received.status == 301 and path.startswith("/openapi/v3/"):
            # The hash in the path is of the recorded server's document.
            path = re.sub(r"hash=[0-9A-F]+&?", "", path)
            received = self.client.send(request["method"], path, headers, body)
        return received

    def _body(self, request: Mapping[str, Any]) -> bytes | None:
        if "body" not in request:
            return None
        body = request["body"]
        if isinstance(body, str):
            return self.bindings.fill(body).encode()
        if isinstance(body, dict) and "$generated" in body:
            return json.dumps(_generated(body["$generated"])).encode()
        return json.dumps(self._filled(body)).encode()

    def _filled(self, value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            filled = self.bindings.fill(value, key)
            return int(filled) if value.startswith("<nodeport-") else filled
        if isinstance(value, list):
            return [self._filled(one) for one in value]
        if isinstance(value, dict):
            return {
                self.bindings.fill(name): self._filled(one, name)
                for name, one in value.items()
            }
        return value

    def _compare(
        self, step: Mapping[str, Any], received: Received, *, polled: bool = False
    ) -> None:
        expected = step["response"]
        if received.status != expected["status"]:
            raise Mismatch(
                f"expected {expected['status']}, got {received.status} "
                f"{json.dumps(received.body)[:600]}"
            )
        unstable = "unstable" in step
        if step["n"] in self.excluded:
            return
        compare(expected.get("headers", {}), received.headers, self.bindings)
        body = expected.get("body")
        if isinstance(body, dict) and "$body" in body:
            return
        if step["request"]["path"].startswith("/openapi/"):
            # The index names the groups of that server; its hashes are opaque.
            return
        path = step["request"]["path"]
        self.bindings.rising = "resourceVersionMatch=Exact" not in path and not (
            _is_one_object_table(body)
        )
        answered = received.body
        if self.timed and step["request"]["method"] != "GET":
            body, answered = _without_controllers(body), _without_controllers(answered)
        try:
            self._compare_body(body, answered)
        except Mismatch:
            if not unstable or polled:
                raise

    def _compare_body(self, expected: Any, actual: Any) -> None:
        if expected is None and actual == "":
            return
        compare(expected, actual, self.bindings, loose_owners=self.loose)

    def _poll(self, step: Mapping[str, Any]) -> None:
        unstable = "unstable" in step
        # What is polled and unstable too has settled when it does not match soon.
        seconds = UNSTABLE_POLL_SECONDS if unstable else POLL_SECONDS
        deadline = time.monotonic() + seconds
        before = self.bindings.copy()
        while True:
            received = self._send(step)
            try:
                self._compare(step, received, polled=True)
            except Mismatch:
                self.bindings.restore(before)
                if time.monotonic() > deadline:
                    self._compare(step, received)
                    return
                time.sleep(0.05)
            else:
                return

    def _watch(self, step: Mapping[str, Any]) -> None:
        request, expected = step["request"], step["response"]
        reader = self.client.watch(
            self.bindings.fill(request["path"]),
            request.get("headers", {}),
            request.get("auth", ""),
        )
        if isinstance(reader, Received):
            self._compare(step, reader)
            return
        if expected["status"] != 200:
            raise Mismatch(f"expected {expected['status']}, got a stream")
        opened = Open(step["n"], reader, list(expected["stream"]))
        opened.bookmarks = any(
            not _is_counted(one["event"]) for one in expected["stream"]
        )
        if step["n"] in self.excluded:
            # What comes is not compared, so it is not waited for either.
            opened.expected.clear()
        self._open.append(opened)
        if step.get("watch") == "closed by the server":
            if "unstable" not in step:
                self._events(opened, None)
            else:
                opened.expected.clear()
                opened.failed = True
            if not reader.wait_end(EVENT_SECONDS):
                raise Mismatch("the server did not end the watch")

    def _counts(self, event: Any, one: Open) -> bool:
        return one.bookmarks or _is_counted(event)

    def _controllers_events(self, one: Open) -> None:
        """Events that controllers caused: some may have been joined into one.

        The first and the last are as recorded; what is between them shows no state
        that was not recorded, and none that came before one already seen.
        """
        recorded = [entry["event"] for entry in one.expected]
        one.expected = []
        # They came while the steps after the watch ran, whose versions are known.
        self.bindings.rising = False
        seen = -1
        while True:
            event = one.reader.take(EVENT_SECONDS)
            if event is None:
                last = json.dumps(recorded[-1])[:300]
                self._fail(one.step, f"the stream does not come to {last}")
                return
            if not self._counts(event, one):
                continue
            if seen >= 0 and self._fits(recorded[-1], event):
                return
            try:
                seen = self._place(recorded, event, seen)
                if len(recorded) == 1:
                    return
            except Mismatch as mismatch:
                self._fail(one.step, f"event of a controller: {mismatch}")
                return

    def _place(self, recorded: list[Any], event: Any, seen: int) -> int:
        """Where a state stands in the recording, at or after what was seen."""
        if seen < 0:
            compare(recorded[0], event, self.bindings, loose_owners=self.loose)
            return 0
        state = {"type": event["type"], "status": event["object"].get("status")}
        for index in range(len(recorded)):
            one = recorded[index]
            wanted = {"type": one["type"], "status": one["object"].get("status")}
            same = one["object"]["metadata"].get("uid", "")
            bound = self.bindings.values.get(same[1:-1])
            mine = bound in (None, event["object"]["metadata"].get("uid"))
            if (index >= seen or not mine) and self._fits(wanted, state):
                return max(index, seen)
        raise Mismatch(f"a state that was not recorded: {json.dumps(state)[:600]}")

    def _fits(self, wanted: Any, event: Any) -> bool:
        before = self.bindings.copy()
        try:
            compare(wanted, event, self.bindings, loose_owners=self.loose)
        except Mismatch:
            self.bindings.restore(before)
            return False
        return True

    def _events(self, one: Open, step: int | None) -> None:
        """Take the events that were recorded up to a step; None takes them all."""
        if one.expected and "after_step" not in one.expected[0] and self.timed:
            if step is None:
                self._controllers_events(one)
            return
        while one.expected and not one.failed:
            after = one.expected[0].get("after_step")
            if step is not None and (after is None or after > step):
                return
            wanted = one.expected.pop(0)["event"]
            event = one.reader.take(EVENT_SECONDS)
            while event is not None and not self._counts(event, one):
                event = one.reader.take(EVENT_SECONDS)
            try:
                if event is None:
                    raise Mismatch(f"no event, but {json.dumps(wanted)[:300]}")  # noqa: TRY301
                self.bindings.rising = wanted["object"].get("kind") != "Table"
                compare(wanted, event, self.bindings, loose_owners=self.loose)
            except Mismatch as mismatch:
                one.failed = True
                self._fail(one.step, f"event after #{step}: {mismatch}")


def _is_counted(event: Any) -> bool:
    """Whether an event is compared: plain bookmarks come at any time."""
    if event["type"] != "BOOKMARK":
        return True
    shown = event["object"]
    if shown.get("kind") == "Table":
        shown = (shown["rows"][0].get("object") or {}) if shown["rows"] else {}
    annotations = (shown.get("metadata") or {}).get("annotations") or {}
    return "k8s.io/initial-events-end" in annotations


def _without_controllers(body: Any) -> Any:
    """An answer to a write without what controllers may have written just before."""
    if not isinstance(body, dict) or "uid" not in body.get("metadata", {}):
        return body
    owners = [
        entry
        for entry in body["metadata"].get("managedFields", ())
        if entry.get("manager") != "kube-controller-manager"
    ]
    meta = {**body["metadata"], "managedFields": owners}
    return {
        **{key: value for key, value in body.items() if key != "status"},
        "metadata": meta,
    }


def _is_one_object_table(body: Any) -> bool:
    """Whether an answer is a Table that has the version of its only object.

    A list's Table has the version of the list, and says so by its own metadata; the
    server gives the Table of a single object that object's.
    """
    return (
        isinstance(body, dict)
        and body.get("kind") == "Table"
        and len(body.get("rows") or []) == 1
    )


def _generated(text: str) -> dict[str, Any]:
    found = _GENERATED.fullmatch(text)
    assert found is not None, text
    big = "x" * int(found["count"])
    made: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": found["name"]},
    }
    if found["place"] == "data.k":
        made["data"] = {"k": big}
    else:
        made["metadata"]["annotations"] = {"a": big}
    return made
