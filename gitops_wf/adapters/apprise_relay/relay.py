"""The parent's side: one child a message, its look-ups judged, its answer read."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from gitops_wf.core.errors import GitOpsError, TerminalError, TransientError, cut
from gitops_wf.core.notifications.verdict import (
    TOO_MANY,
    Refused,
    RetryIn,
    Sent,
    Verdict,
)
from gitops_wf.core.redaction import redact
from gitops_wf.core.secret import Secret

TIMEOUT = timedelta(seconds=60)
"""For a child that starts, sends and ends."""

CHILDREN = 2
"""At once: each takes some 60 MB, and the queue may bring many messages."""

_CHILD = "gitops_wf.adapters.apprise_relay.child"
_STATUS = re.compile(r"\berror=(\d{3})\b")
_TRANSIENT = frozenset({408, 425})


class Addresses(Protocol):
    """What resolves a host to addresses that may be connected to."""

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Return at least one address, or raise a GitOpsError."""


class AppriseRelay:
    """Relay over Apprise (https://appriseit.com), which is an extra of the package."""

    def __init__(self, guard: Addresses, *, timeout: timedelta = TIMEOUT) -> None:
        self._guard = guard
        self._timeout = timeout
        self._places = threading.BoundedSemaphore(CHILDREN)

    def send(
        self, url: Secret, subject: str, text: str, *, check: Callable[[str], None]
    ) -> Verdict:
        """Send it once; ``check`` is asked for each host before it is resolved."""
        if importlib.util.find_spec("apprise") is None:
            raise TerminalError(
                "apprise is not installed beside the daemon: pip install"
                " 'gitops-wf[apprise]'",
                reason="ChannelNotConfigured",
            )
        talk = _Talk(self._guard, check)
        asked = {"url": url.reveal(), "subject": subject, "text": text}
        is_late = threading.Event()
        with self._places:
            answer = self._asked(talk, asked, is_late)
        if talk.refusal is not None and not (answer or {}).get("sent"):
            raise talk.refusal
        if answer is None:
            seconds = self._timeout.total_seconds()
            what = f"no answer within {seconds:g}s" if is_late.is_set() else "it broke"
            raise TransientError(f"apprise: {what}")
        return _judged(answer, url)

    def _asked(
        self, talk: "_Talk", asked: dict[str, Any], is_late: threading.Event
    ) -> dict[str, Any] | None:
        """Return a child's answer; None where it ended without one, or was late."""

        def end() -> None:
            is_late.set()
            child.kill()

        try:
            with _child() as child:
                timer = threading.Timer(self._timeout.total_seconds(), end)
                timer.start()
                try:
                    return talk.with_child(child, asked)
                finally:
                    timer.cancel()
                    child.kill()
        except (BrokenPipeError, ValueError):
            return None  # it ended, or something of it printed where we read


def _child() -> "subprocess.Popen[bytes]":
    """Begin a child with none of the daemon's environment, so with no proxy either."""
    environment = {"HOME": "/nonexistent", "NETRC": os.devnull}
    authorities = os.environ.get("SSL_CERT_FILE")
    if authorities:
        environment["REQUESTS_CA_BUNDLE"] = authorities
        environment["SSL_CERT_FILE"] = authorities
    return subprocess.Popen(
        [sys.executable, "-I", "-m", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it may print the URL, or what it was sent
        env=environment,
        start_new_session=True,
    )


class _Talk:
    """What is said with a child; ``refusal`` is why a host was not resolved."""

    def __init__(self, guard: Addresses, check: Callable[[str], None]) -> None:
        self._guard = guard
        self._check = check
        self.refusal: GitOpsError | None = None

    def with_child(
        self, child: "subprocess.Popen[bytes]", asked: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Return the child's answer; None where it ended without one."""
        assert child.stdin is not None
        assert child.stdout is not None
        said: dict[str, Any] = asked
        while True:
            child.stdin.write(json.dumps(said).encode() + b"\n")
            child.stdin.flush()
            line = child.stdout.readline()
            if not line:
                return None
            heard: dict[str, Any] = json.loads(line)
            if "sent" in heard:
                return heard
            said = {"addresses": self._resolved(heard)}

    def _resolved(self, heard: dict[str, Any]) -> list[str]:
        host = str(heard["resolve"])
        try:
            self._check(host)
            return list(self._guard.addresses(host, int(heard["port"])))
        except GitOpsError as error:
            self.refusal = self.refusal or error
            return []


def _judged(answer: dict[str, Any], url: Secret) -> Verdict:
    if answer["sent"] is None:
        return Refused(
            detail="apprise knows no service for this URL; see"
            " https://appriseit.com/services, and `apprise --dry-run` tells more"
        )
    service = str(answer["service"])
    if answer["sent"]:
        return Sent(detail=f"{service} took it")
    said = "; ".join(map(str, answer["said"])) or "it did not say why"
    detail = f"{service}: {cut(redact(said, _parts(url)))}"
    statuses = [int(status) for status in _STATUS.findall(said)]
    if statuses and statuses[-1] < 500 and statuses[-1] not in {TOO_MANY, *_TRANSIENT}:
        return Refused(detail=detail)
    is_limit = bool(statuses) and statuses[-1] == TOO_MANY
    return RetryIn(after=None, detail=detail, is_limit=is_limit)


def _parts(url: Secret) -> list[Secret]:
    """Return the URL and all that may be a token in it."""
    parts = re.split(r"[/?&=:@,#]+", url.reveal())
    return [url, *(Secret(part) for part in parts if part)]
