"""The sender of outbox rows, on real receivers: what arrives and what comes of it."""

import email
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.apprise_relay.relay import AppriseRelay
from gitops_wf.adapters.config_secrets import ConfigSecrets
from gitops_wf.adapters.http_outbound import HttpOutbound
from gitops_wf.adapters.smtp_mailer import SmtpMailer
from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.grants import SecretGrant
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.message import Delivery, Message
from gitops_wf.core.notifications.verdict import Refused, RetryIn, Sent
from gitops_wf.services.deliver import ChannelSender
from tests.receivers import (
    DINGTALK_OK,
    GARBAGE,
    HANG_UP,
    LARK_OK,
    OK,
    Reply,
    http_receiver,
    redirect,
    smtp_server,
    too_many,
)

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
CANARY = "c4n4ry-t0ken"
SIGN = "SEC-c4n4ry"
PROD = EnvironmentId("shop/prod")
URL = {"secretRef": {"name": "hook", "key": "url"}}


@pytest.fixture
def receiver():
    with http_receiver() as running:
        yield running


@pytest.fixture
def sender(receiver):
    environ = {
        "URL": f"{receiver.url}/services/{CANARY}?access_token={CANARY}",
        "SIGN": SIGN,
        "TOKEN": f"Bearer {CANARY}",
        "PASSWORD": CANARY,
        "SERVICE": f"json://user:{CANARY}@127.0.0.1:{receiver.port}/services/{CANARY}",
    }
    keys = {
        "url": "URL",
        "sign": "SIGN",
        "token": "TOKEN",
        "password": "PASSWORD",
        "service": "SERVICE",
    }
    grants = [
        SecretGrant(
            name="hook", env=keys, environments=("shop/*",), hosts=("127.0.0.1",)
        ),
        SecretGrant(name="far", env=keys, environments=("shop/*",), hosts=("x.y",)),
        SecretGrant(name="daemons", env=keys, hosts=("127.0.0.1",)),
    ]
    guard = AddressGuard(AddressPolicy())
    return ChannelSender(
        outbound=HttpOutbound(guard),
        mailer=SmtpMailer(guard),
        relay=AppriseRelay(guard),
        secrets=ConfigSecrets(grants, environ=environ),
        channels={
            "ops": {
                "type": "slack",
                "url": {"secretRef": {"name": "daemons", "key": "url"}},
            }
        },
    )


@pytest.fixture
def path():
    return f"/services/{CANARY}"


def a_delivery(kind, channel, payload, **more):
    message = Message(item=kind, kind=kind, channel=channel, payload=payload)
    fields = {
        "key": "shop/prod#12.1/tell/slack",
        "environment": PROD,
        "run": None,
        "step": None,
        "message": message,
        "tries": 1,
        "created": NOW,
    }
    return Delivery(**fields | more)


SLACK = a_delivery("slack", {"url": URL}, {"text": "grüße"})


def test_a_slack_message_is_posted_to_the_secret_url(sender, receiver, path):
    verdict = sender.send(SLACK, NOW)

    [request] = receiver.at(path)
    assert isinstance(verdict, Sent)
    assert request.json == {"text": "grüße"}
    assert request.headers["content-type"] == "application/json"


def test_a_dingtalk_message_is_signed_beside_its_token(sender, receiver, path):
    receiver.reply(path, DINGTALK_OK)
    sign = {"secretRef": {"name": "hook", "key": "sign"}}
    payload = {"msgtype": "text", "text": {"content": "hi"}}

    verdict = sender.send(
        a_delivery("dingding", {"url": URL, "sign": sign}, payload), NOW
    )

    # printf '1795415400000\nSEC-c4n4ry' | openssl dgst -sha256 -hmac SEC-c4n4ry …
    assert isinstance(verdict, Sent)
    assert receiver.received[0].path == (
        f"{path}?access_token={CANARY}&timestamp=1795415400000&sign=fQEBV0KSt0OC5C90bdlknF9%2BpBzns7c5QkzogsVnS3M%3D"
    )
    assert receiver.received[0].json == payload


def test_a_lark_message_is_signed_in_its_body(sender, receiver, path):
    receiver.reply(path, LARK_OK)
    sign = {"secretRef": {"name": "hook", "key": "sign"}}
    payload = {"msg_type": "text", "content": {"text": "grüße"}}

    verdict = sender.send(a_delivery("lark", {"url": URL, "sign": sign}, payload), NOW)

    # printf '' | openssl dgst -sha256 -hmac "$(printf '1795415400\nSEC-c4n4ry')" …
    assert verdict == Sent(detail="Lark answered code 0")
    assert receiver.received[0].json == {
        "timestamp": "1795415400",
        "sign": "h5Fb9xUjgZ1059X038ZHOi0wesB2Ybv5q3yYsgBh1ng=",
        **payload,
    }


def test_a_message_by_apprise_says_what_its_service_answered(sender, receiver, path):
    service = {"secretRef": {"name": "hook", "key": "service"}}
    payload = {"title": "prod#12", "body": "it <b>works</b>"}

    verdict = sender.send(a_delivery("apprise", {"url": service}, payload), NOW)

    [request] = receiver.at(path)
    assert verdict == Sent(detail="JSON took it")
    assert request.json["title"] == "prod#12"
    assert request.json["message"] == "it <b>works</b>"


KINDS = {
    "slack": ({"url": URL}, {"text": "hi"}, OK),
    "dingding": ({"url": URL}, {"msgtype": "text"}, DINGTALK_OK),
    "lark": ({"url": URL}, {"msg_type": "text"}, LARK_OK),
    "webhook": ({"url": URL}, {"a": 1}, OK),
    "apprise": (
        {"url": {"secretRef": {"name": "hook", "key": "service"}}},
        {"title": "t", "body": "b"},
        OK,
    ),
}
AN_ERROR = Reply(body=b'{"ok":false,"error":"x","errcode":310000,"code":19024}')
WORSE = Reply(status=500, body=b"boom")


@pytest.mark.parametrize(
    ("reply", "verdict", "is_limit"),
    [
        (None, Sent, False),
        (AN_ERROR, Refused, False),
        (Reply(status=403, body=b"who are you"), Refused, False),
        (too_many(30), RetryIn, True),
        (WORSE, RetryIn, False),
        (GARBAGE, RetryIn, False),
        (HANG_UP, RetryIn, False),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_channel_judges_what_its_receiver_does(
    sender, receiver, path, kind, reply, verdict, is_limit
):
    channel, payload, good = KINDS[kind]
    if reply is AN_ERROR and kind in {"webhook", "apprise"}:
        verdict = Sent  # a status is all that these say
    receiver.reply(path, reply or good)

    found = sender.send(a_delivery(kind, channel, payload), NOW)

    assert isinstance(found, verdict), found
    assert getattr(found, "is_limit", False) is is_limit
    if isinstance(found, RetryIn):
        assert found.after >= timedelta(seconds=5)
    if is_limit and kind != "apprise":  # it keeps the header to itself
        assert found.after == timedelta(seconds=30)


def test_a_mail_server_that_is_down_or_busy_is_tried_again(sender):
    source = {"address": "bot@example.com", "host": "127.0.0.1", "tls": "none"}
    with smtp_server() as mailbox:
        channel = {"from": {**source, "port": mailbox.port}, "to": ["ann@example.com"]}
        mail = a_delivery("email", channel, {"subject": "s", "body": "b"})
        mailbox.data_answer = "451 4.3.0 try later"
        busy = sender.send(mail, NOW)
        mailbox.data_answer = "554 5.7.1 spam"
        refused = sender.send(mail, NOW)
    down = sender.send(mail, NOW)

    assert isinstance(busy, RetryIn)
    assert isinstance(refused, Refused)
    assert isinstance(down, RetryIn)


def test_a_limit_is_no_try_and_no_age(sender, receiver, path):
    receiver.reply(path, too_many(30))
    old = replace(SLACK, tries=99, limited=91, created=NOW - timedelta(days=1))

    verdict = sender.send(old, NOW)

    assert verdict.is_limit
    assert verdict.after == timedelta(seconds=30)


def test_after_a_limit_the_tries_and_the_time_are_those_that_were_left(
    sender, receiver, path
):
    receiver.reply(path, WORSE)
    later = replace(SLACK, created=NOW - timedelta(days=1), since=NOW)

    assert isinstance(sender.send(replace(later, tries=50, limited=49), NOW), RetryIn)
    assert isinstance(sender.send(replace(later, tries=50, limited=42), NOW), Refused)


def test_a_message_of_no_environment_never_uses_the_daemons_own_secrets(
    sender, receiver
):
    channel = {"url": {"secretRef": {"name": "daemons", "key": "url"}}}

    verdict = sender.send(a_delivery("slack", channel, {}, environment=None), NOW)

    assert isinstance(verdict, Refused)
    assert not receiver.received


def test_http_200_with_another_errcode_is_not_sent(sender, receiver, path):
    receiver.reply(path, Reply(body=b'{"errcode":310000,"errmsg":"sign not match"}'))

    verdict = sender.send(
        a_delivery("dingding", {"url": URL}, {"msgtype": "text"}), NOW
    )

    assert verdict == Refused(detail="DingTalk answered errcode 310000: sign not match")


def test_a_mail_has_the_same_id_on_each_try(sender):
    payload = {"subject": "prod#12", "body": "text"}
    with smtp_server() as mailbox:
        source = {"address": "bot@example.com", "alias": "Bot", "host": "127.0.0.1"}
        channel = {
            "from": {**source, "port": mailbox.port, "tls": "none"},
            "to": ["ann@example.com"],
        }
        first = sender.send(a_delivery("email", channel, payload), NOW)
        sender.send(a_delivery("email", channel, payload, tries=2), NOW)

    mails = [email.message_from_bytes(mail.content) for mail in mailbox.mails]
    assert first == Sent(detail="250 2.0.0 queued as 7F3A")
    assert len({mail["Message-ID"] for mail in mails}) == 1
    assert [mail["From"] for mail in mails] == ["Bot <bot@example.com>"] * 2


@pytest.mark.parametrize("port", ["abc", 0, 65536, None])
def test_a_mail_server_needs_a_port(sender, port):
    source = {"address": "bot@example.com", "host": "127.0.0.1", "port": port}

    verdict = sender.send(
        a_delivery("email", {"from": source, "to": ["ann@example.com"]}, {}), NOW
    )

    assert isinstance(verdict, Refused)
    assert "1 to 65535" in verdict.detail


def test_a_webhook_carries_the_key_of_its_row_and_a_secret_header(
    sender, receiver, path
):
    header = {"secretRef": {"name": "hook", "key": "token"}}

    verdict = sender.send(
        a_delivery(
            "webhook", {"url": URL, "headers": {"Authorization": header}}, {"a": 1}
        ),
        NOW,
    )

    [request] = receiver.at(path)
    assert isinstance(verdict, Sent)
    assert request.headers["idempotency-key"] == "shop/prod#12.1/tell/slack"
    assert request.headers["authorization"] == f"Bearer {CANARY}"


def test_a_channel_of_the_daemon_uses_the_daemons_own_secret(sender, receiver, path):
    verdict = sender.send(a_delivery("slack", {"name": "ops"}, {"text": "hi"}), NOW)

    assert isinstance(verdict, Sent)
    assert len(receiver.at(path)) == 1


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        ({"url": {"secretRef": {"name": "daemons", "key": "url"}}}, "not granted to"),
        ({"url": {"secretRef": {"name": "far", "key": "url"}}}, "may not be sent to"),
        ({"url": {"secretRef": {}}}, "written {secretRef"),
        ({"name": "gone"}, "no longer in the daemon config"),
        ({}, "lacks url"),
        ({"url": "http://user:pw@127.0.0.1/"}, "cannot be used"),
        ({"url": "http://127.0.0.1\\@x.y/"}, "cannot be used"),
        ({"url": "http://169.254.169.254/x"}, "metadata"),
    ],
)
def test_what_is_not_granted_is_refused_and_nothing_is_sent(
    sender, receiver, channel, says
):
    verdict = sender.send(a_delivery("slack", channel, {"text": "x"}), NOW)

    assert isinstance(verdict, Refused)
    assert says in verdict.detail
    assert not receiver.received


def test_a_secret_header_does_not_go_to_a_host_that_its_grant_does_not_name(
    sender, receiver
):
    channel = {
        "url": {"value": f"http://localhost:{receiver.port}/"},
        "headers": {"X-Key": {"secretRef": {"name": "hook", "key": "token"}}},
    }

    verdict = sender.send(a_delivery("webhook", channel, {}), NOW)

    assert isinstance(verdict, Refused)
    assert not receiver.received


@pytest.mark.parametrize(
    ("tries", "reply", "wait"),
    [
        (1, HANG_UP, 5),
        (2, Reply(status=500), 15),
        (5, Reply(status=500), 405),
        (1, too_many(30), 30),
        (3, too_many(1), 5),
        (3, Reply(status=429), 45),
    ],
)
def test_a_try_that_may_yet_succeed_is_repeated_later_and_later(
    sender, receiver, path, tries, reply, wait
):
    receiver.reply(path, reply)

    verdict = sender.send(replace(SLACK, tries=tries), NOW)

    assert isinstance(verdict, RetryIn)
    assert verdict.after == timedelta(seconds=wait)


@pytest.mark.parametrize(
    ("delivery", "says"),
    [
        (replace(SLACK, tries=8), "gave up after 8 tries"),
        (replace(SLACK, created=NOW - timedelta(hours=1)), "gave up, 1h after"),
    ],
)
def test_a_channel_that_never_answers_is_given_up(
    sender, receiver, path, delivery, says
):
    receiver.reply(path, Reply(status=503))

    verdict = sender.send(delivery, NOW)

    assert isinstance(verdict, Refused)
    assert says in verdict.detail


@pytest.mark.parametrize(
    "reply",
    [
        HANG_UP,
        Reply(status=404, body=f"no route POST /services/{CANARY}".encode()),
        Reply(body=json.dumps({"ok": False, "error": f"bad {CANARY}"}).encode()),
        Reply(status=500, body=("x" * 240 + CANARY).encode()),
        redirect(f"http://elsewhere.invalid/{CANARY}"),
    ],
)
def test_no_verdict_or_log_line_shows_a_secret(sender, receiver, path, reply, caplog):
    caplog.set_level(0)
    receiver.reply(path, reply)

    verdict = sender.send(SLACK, NOW)

    assert not isinstance(verdict, Sent)
    assert CANARY[:8] not in repr(verdict)
    assert CANARY[:8] not in caplog.text
