"""Apprise in its child: what it may reach, what comes back, and what never does."""

import sys
from datetime import timedelta

import pytest

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.apprise_relay.relay import AppriseRelay
from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.notifications.verdict import Refused, RetryIn, Sent
from gitops_wf.core.secret import Secret
from tests.receivers import SILENCE, Reply, http_receiver, redirect, smtp_server

CANARY = "c4n4ry-t0ken"


class Book:
    """A guard that knows two names, and keeps who asked for what."""

    def __init__(self, **names):
        self.names = names
        self.asked = []
        self._guard = AddressGuard(AddressPolicy())

    def addresses(self, host, port):
        self.asked.append((host, port))
        return self._guard.addresses(self.names.get(host, host), port)


@pytest.fixture
def receiver():
    with http_receiver() as running:
        yield running


def send(url, *, guard=None, check=lambda _: None, **more):
    relay = AppriseRelay(guard or Book(), **more)
    return relay.send(Secret(url), "prod#12", "it works", check=check)


def test_a_name_is_resolved_by_the_parent_alone(receiver):
    guard = Book(**{"alerts.example": "127.0.0.1"})

    verdict = send(f"json://alerts.example:{receiver.port}/x", guard=guard)

    assert verdict == Sent(detail="JSON took it")
    assert guard.asked == [("alerts.example", receiver.port)]
    assert receiver.received[0].headers["host"] == f"alerts.example:{receiver.port}"


def test_a_host_that_the_secret_may_not_be_sent_to_is_never_connected_to(receiver):
    def check(host):
        raise TerminalError(f"may not be sent to {host}", reason="SecretNotGranted")

    with pytest.raises(TerminalError, match=r"not be sent to 127\.0\.0\.1"):
        send(f"json://127.0.0.1:{receiver.port}/", check=check)

    assert not receiver.received


def test_metadata_addresses_are_refused_as_everywhere():
    with pytest.raises(TerminalError, match="metadata"):
        send("json://169.254.169.254/latest")


def test_a_redirect_leads_nowhere_that_was_not_allowed(receiver):
    asked = []

    def check(host):
        asked.append(host)
        if host != "127.0.0.1":
            raise TerminalError(f"may not be sent to {host}", reason="SecretNotGranted")

    receiver.reply("/", redirect("http://elsewhere.example/steal"))

    with pytest.raises(TerminalError, match=r"elsewhere\.example"):
        send(f"json://127.0.0.1:{receiver.port}/", check=check)
    assert asked == ["127.0.0.1", "elsewhere.example"]


def test_mail_by_apprise_is_guarded_too():
    guard = Book(**{"mail.example": "127.0.0.1"})
    with smtp_server() as mailbox:
        url = f"mailto://mail.example:{mailbox.port}?from=a@b.example&to=c@d.example"
        verdict = send(url, guard=guard)

    assert isinstance(verdict, Sent), verdict
    assert len(mailbox.mails) == 1
    assert ("mail.example", mailbox.port) in guard.asked


def test_what_goes_by_udp_is_not_sent():
    assert isinstance(send("rsyslog://127.0.0.1:5514/"), RetryIn)


@pytest.mark.parametrize(
    "url", ["nothing://x", "no url", "", "dbus://", "syslog://", "windows://"]
)
def test_a_url_of_no_service_is_refused_without_being_shown(url):
    verdict = send(url)

    assert isinstance(verdict, Refused)
    assert "no service" in verdict.detail


@pytest.mark.parametrize(
    ("status", "verdict", "is_limit"),
    [(401, Refused, False), (429, RetryIn, True), (503, RetryIn, False)],
)
def test_the_status_says_whether_another_try_can_help(
    receiver, status, verdict, is_limit
):
    receiver.reply("/", Reply(status=status, body=b"no"))

    found = send(f"json://127.0.0.1:{receiver.port}/")

    assert isinstance(found, verdict)
    assert f"error={status}" in found.detail
    assert getattr(found, "is_limit", False) is is_limit


def test_neither_url_nor_its_tokens_come_back(receiver):
    receiver.reply(f"/{CANARY}", Reply(status=400, body=CANARY.encode()))

    url = f"json://user:{CANARY}@127.0.0.1:{receiver.port}/{CANARY}?+X-Key={CANARY}"
    verdict = send(url)

    assert isinstance(verdict, Refused)
    assert CANARY[:8] not in verdict.detail


def test_the_url_stands_in_no_command_line_and_the_child_has_no_environment(
    receiver, monkeypatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    seen = {}

    def look(received):
        import os
        from pathlib import Path

        for task in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for child in task.read_text().split():
                for name in ("cmdline", "environ"):
                    path = Path(f"/proc/{child}/{name}")
                    seen[name] = seen.get(name, b"") + path.read_bytes()
        return Reply()

    receiver.answer = look

    verdict = send(f"json://user:{CANARY}@127.0.0.1:{receiver.port}/{CANARY}")

    assert isinstance(verdict, Sent)
    assert b"apprise_relay.child" in seen["cmdline"]
    assert CANARY.encode() not in seen["cmdline"] + seen["environ"]
    assert b"HTTP_PROXY" not in seen["environ"]


def test_a_receiver_that_never_answers_is_given_up(receiver):
    receiver.reply("/", SILENCE)

    with pytest.raises(TransientError, match="no answer within 2s"):
        send(f"json://127.0.0.1:{receiver.port}/", timeout=timedelta(seconds=2))


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(TerminalError, match=r"pip install 'gitops-wf\[apprise\]'"):
        send("json://127.0.0.1/")
