"""Mailer on a real SMTP server: with and without TLS, login, and refusals."""

import email
import ssl
from datetime import timedelta

import pytest

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.smtp_mailer import SmtpMailer
from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.secret import Secret
from gitops_wf.ports.outbound import Mail, MailServer
from tests.receivers import SILENCE, http_receiver, self_signed, smtp_server

CANARY = "c4n4ry-passw0rd"
MAIL = Mail(
    sender="Release Bot <bot@example.com>",
    to=["ann@example.com", "Bob <bob@example.com>"],
    subject="prod#12 wartet",
    text="grüße",
    html="<p>grüße</p>",
    message_id="<k1@example.com>",
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def mailer(certificate):
    return SmtpMailer(
        AddressGuard(AddressPolicy()),
        tls=ssl.create_default_context(cafile=str(certificate)),
    )


def server(mailbox, **more):
    return MailServer(
        **{"host": "localhost", "port": mailbox.port, "tls": "none"} | more
    )


def test_a_mail_reaches_every_recipient_in_both_forms(mailer):
    with smtp_server() as mailbox:
        answer = mailer.send(MAIL, server(mailbox))

    [envelope] = mailbox.mails
    message = email.message_from_bytes(envelope.content)
    assert answer == "250 2.0.0 queued as 7F3A"
    assert envelope.rcpt_tos == ["ann@example.com", "bob@example.com"]
    assert envelope.mail_from == "bot@example.com"
    assert message["From"] == "Release Bot <bot@example.com>"
    assert message["To"] == "ann@example.com, Bob <bob@example.com>"
    assert message["Message-ID"] == "<k1@example.com>"
    assert message["Date"]
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    text = message.get_payload(0).get_payload(decode=True).decode()
    assert text.strip() == "grüße"


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_login_goes_over_tls(mailer, certificate, tls):
    login = ("bot@example.com", CANARY)
    with smtp_server(tls=tls, certificate=certificate, login=login) as mailbox:
        mailer.send(
            MAIL,
            server(mailbox, tls=tls, username=login[0], password=Secret(CANARY)),
        )

    assert mailbox.logins == ["bot@example.com"]
    assert len(mailbox.mails) == 1


def test_a_wrong_password_is_terminal_and_not_shown(mailer, certificate):
    login = ("bot@example.com", "another")
    with (
        smtp_server(tls="starttls", certificate=certificate, login=login) as mailbox,
        pytest.raises(TerminalError, match="login refused: 535") as caught,
    ):
        mailer.send(
            MAIL,
            server(mailbox, tls="starttls", username="x", password=Secret(CANARY)),
        )

    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_server_without_starttls_is_refused_before_anything_is_said(mailer):
    with (
        smtp_server() as mailbox,
        pytest.raises(TerminalError, match="offers no STARTTLS; write tls: tls"),
    ):
        mailer.send(MAIL, server(mailbox, tls="starttls", password=Secret(CANARY)))

    assert not mailbox.logins


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(certificate, tls):
    untrusting = SmtpMailer(AddressGuard(AddressPolicy()))
    with (
        smtp_server(tls=tls, certificate=certificate) as mailbox,
        pytest.raises(TerminalError, match="certificate not trusted"),
    ):
        untrusting.send(MAIL, server(mailbox, tls=tls))

    assert not mailbox.mails


def test_some_refused_recipients_are_named_and_the_others_have_the_mail(mailer):
    with smtp_server() as mailbox:
        mailbox.refusals = {"ann@example.com": "550 5.1.1 no such user"}
        with pytest.raises(TerminalError) as caught:
            mailer.send(MAIL, server(mailbox))

    assert "sent to 1 of 2" in str(caught.value)
    assert "ann@example.com (550 5.1.1 no such user)" in str(caught.value)
    assert [each.rcpt_tos for each in mailbox.mails] == [["bob@example.com"]]


@pytest.mark.parametrize(
    ("line", "family"),
    [("450 4.2.1 greylisted", TransientError), ("550 no such user", TerminalError)],
)
def test_all_recipients_refused_is_transient_only_with_a_4xx(mailer, line, family):
    with smtp_server() as mailbox:
        mailbox.refusals = dict.fromkeys(["ann@example.com", "bob@example.com"], line)
        with pytest.raises(family, match="recipients refused"):
            mailer.send(MAIL, server(mailbox))


@pytest.mark.parametrize(
    ("line", "family"),
    [("452 4.3.1 disk full", TransientError), ("554 5.7.1 spam", TerminalError)],
)
def test_a_refused_message_is_transient_only_with_a_4xx(mailer, line, family):
    with smtp_server() as mailbox:
        mailbox.data_answer = line
        with pytest.raises(family, match=line[4:]):
            mailer.send(MAIL, server(mailbox))


@pytest.mark.parametrize(
    "change",
    [
        {"to": ["ann@example.com\nBcc: eve@example.com"]},
        {"to": ["nobody"]},
        {"to": []},
        {"sender": "bot@example.com\r\nX: y"},
    ],
)
def test_an_address_that_is_none_is_refused(mailer, change):
    fields = {name: getattr(MAIL, name) for name in Mail.__slots__} | change
    with smtp_server() as mailbox, pytest.raises(TerminalError):
        mailer.send(Mail(**fields), server(mailbox))

    assert not mailbox.mails


def test_a_subject_of_several_lines_becomes_one(mailer):
    fields = {name: getattr(MAIL, name) for name in Mail.__slots__}
    with smtp_server() as mailbox:
        mailer.send(Mail(**fields | {"subject": "a\r\nBcc: eve@x.y"}), server(mailbox))

    message = email.message_from_bytes(mailbox.mails[0].content)
    assert message["Subject"] == "a Bcc: eve@x.y"
    assert message["Bcc"] is None


def test_a_server_that_says_nothing_is_a_transient_error(mailer):
    with http_receiver() as silent:
        silent.reply("/", SILENCE)
        with pytest.raises(TransientError, match=r"no answer within 0\.3s"):
            mailer.send(MAIL, server(silent, timeout=timedelta(seconds=0.3)))


def test_metadata_addresses_are_refused(mailer):
    with pytest.raises(TerminalError, match="metadata"):
        mailer.send(MAIL, MailServer(host="169.254.169.254", port=25))
