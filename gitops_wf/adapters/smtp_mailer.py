"""Mail by smtplib: STARTTLS, TLS or neither; every recipient's answer counts."""

import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate, make_msgid, parseaddr
from typing import Any, Protocol

from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.ports.outbound import Mail, MailServer


class Addresses(Protocol):
    """What resolves a host to addresses that may be connected to."""

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Return at least one address, or raise a GitOpsError."""


class SmtpMailer:
    """Mailer over SMTP (RFC 5321), one connection a mail.

    ``tls`` is the context for STARTTLS and TLS; the default trusts the system's
    authorities.
    """

    def __init__(self, guard: Addresses, *, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._tls = tls or ssl.create_default_context()

    def send(self, mail: Mail, server: MailServer) -> str:
        """Send it and return the server's answer to the message.

        Where the server refuses some recipients the others have it, and a
        TerminalError (RecipientsRefused) names those that do not: sending again
        would double it.
        """
        message = _message(mail)
        sender = _address(mail.sender)
        recipients = [_address(entry) for entry in mail.to]
        if not recipients:
            raise TerminalError("a mail needs a recipient", reason="InvalidRequest")
        where = f"smtp {cut(server.host, 128)}:{server.port}"
        try:
            with self._connected(server) as smtp:
                self._secured(smtp, server, where)
                return _transferred(smtp, message, sender, recipients, where)
        except smtplib.SMTPAuthenticationError as exc:
            raise _answered(
                where, exc.smtp_code, exc.smtp_error, "login refused"
            ) from None  # its text may echo what was sent
        except smtplib.SMTPNotSupportedError as exc:
            raise TerminalError(f"{where}: {exc}", reason="MailRefused") from exc
        except smtplib.SMTPServerDisconnected as exc:
            if isinstance(exc.__context__, TimeoutError):  # smtplib wraps it so
                raise _timed_out(where, server) from exc
            raise TransientError(f"{where}: hung up") from exc
        except smtplib.SMTPResponseException as exc:
            raise _answered(where, exc.smtp_code, exc.smtp_error, "refused") from exc
        except ssl.SSLCertVerificationError as exc:
            raise TerminalError(
                f"{where}: certificate not trusted: {exc.verify_message}",
                reason="MailRefused",
            ) from exc
        except TimeoutError as exc:
            raise _timed_out(where, server) from exc
        except (smtplib.SMTPException, OSError) as exc:
            raise TransientError(f"{where}: {cut(str(exc))}") from exc

    def _connected(self, server: MailServer) -> smtplib.SMTP:
        seconds = server.timeout.total_seconds()
        if server.tls == "tls":
            return _GuardedTls(self._dial, server, seconds, self._tls)
        return _Guarded(self._dial, server, seconds)

    def _secured(self, smtp: smtplib.SMTP, server: MailServer, where: str) -> None:
        smtp.ehlo()
        if server.tls == "starttls":
            if not smtp.has_extn("starttls"):
                raise TerminalError(
                    f"{where}: offers no STARTTLS; write tls: tls or tls: none",
                    reason="MailRefused",
                )
            smtp.starttls(context=self._tls)
            smtp.ehlo()
        if server.password is None:
            return
        if server.tls == "none" and not _is_loopback(smtp.sock):
            raise TerminalError(
                f"{where}: a password is sent without TLS to loopback only; write "
                "tls: starttls or tls: tls",
                reason="MailRefused",
            )
        smtp.login(server.username, server.password.reveal())

    def _dial(self, host: str, port: int, seconds: float) -> socket.socket:
        addresses = self._guard.addresses(host, port)
        for address in addresses[:-1]:
            try:
                return socket.create_connection((address, port), seconds)
            except OSError:
                continue  # the next address may answer; the last one's error counts
        return socket.create_connection((addresses[-1], port), seconds)


Dial = Callable[[str, int, float], socket.socket]


class _Guarded(smtplib.SMTP):
    """Connects by a dialler of ours and checks certificates by the host's name."""

    def __init__(self, dial: Dial, server: MailServer, seconds: float) -> None:
        self._dial = dial
        super().__init__(server.host, server.port, timeout=seconds)

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        return self._dial(host, port, timeout)


class _GuardedTls(smtplib.SMTP):
    """The same with TLS from the first byte (RFC 8314)."""

    def __init__(
        self,
        dial: Dial,
        server: MailServer,
        seconds: float,
        context: ssl.SSLContext,
    ) -> None:
        self._dial = dial
        self._context = context
        super().__init__(server.host, server.port, timeout=seconds)

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:
        plain = self._dial(host, port, timeout)
        return self._context.wrap_socket(plain, server_hostname=host)


def _message(mail: Mail) -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    try:
        message["From"] = _header(mail.sender)
        message["To"] = [_header(entry) for entry in mail.to]
        message["Subject"] = cut(mail.subject)
        message["Date"] = formatdate(localtime=False)
        domain = _address(mail.sender).rpartition("@")[2]
        message["Message-ID"] = mail.message_id or make_msgid(domain=domain)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers
        message.set_content(mail.text)
        if mail.html:
            message.add_alternative(mail.html, subtype="html")
    except ValueError as exc:
        raise TerminalError(
            f"this mail cannot be written: {cut(str(exc))}", reason="InvalidRequest"
        ) from exc
    return message


def _header(entry: str) -> Address:
    name, _ = parseaddr(entry)
    return Address(display_name=name, addr_spec=_address(entry))


def _address(entry: str) -> str:
    """Return the bare address of ``Name <address>``, in ASCII."""
    _, address = parseaddr(entry)
    local, _, domain = address.rpartition("@")
    is_plain = address.isascii() and address.isprintable() and " " not in address
    if not (local and domain and is_plain and "\n" not in entry and "\r" not in entry):
        raise TerminalError(
            f"{cut(entry, 128)!r} is not a mail address; write name@example.com or "
            "Name <name@example.com>, in ASCII",
            reason="InvalidRequest",
        )
    return address


def _transferred(
    smtp: smtplib.SMTP,
    message: EmailMessage,
    sender: str,
    recipients: list[str],
    where: str,
) -> str:
    code, answer = smtp.mail(sender)
    if code != 250:
        raise _answered(where, code, answer, f"sender {sender} refused")
    refused: dict[str, tuple[int, bytes]] = {}
    for recipient in recipients:
        code, answer = smtp.rcpt(recipient)
        if code not in {250, 251}:
            refused[recipient] = (code, answer)
    if len(refused) == len(recipients):
        worst = max(refused.values(), key=lambda each: each[0])
        named = ", ".join(refused)
        raise _answered(where, *worst, f"recipients refused: {cut(named)}")
    code, answer = smtp.data(message.as_bytes())
    if code != 250:
        raise _answered(where, code, answer, "message refused")
    if refused:
        named = "; ".join(
            f"{to} ({code} {_text(answer)})" for to, (code, answer) in refused.items()
        )
        sent = len(recipients) - len(refused)
        raise TerminalError(
            f"{where}: sent to {sent} of {len(recipients)}; refused: {cut(named)}",
            reason="RecipientsRefused",
        )
    return f"{code} {_text(answer)}"


def _timed_out(where: str, server: MailServer) -> TransientError:
    seconds = server.timeout.total_seconds()
    return TransientError(f"{where}: no answer within {seconds:g}s")


def _answered(
    where: str, code: int, answer: bytes | str, what: str
) -> TerminalError | TransientError:
    """Return the error that an answer means: 4yz may pass (RFC 5321, 4.2.1)."""
    text = f"{where}: {what}: {code} {_text(answer)}"
    if 400 <= code < 500 or code < 0:
        return TransientError(text)
    return TerminalError(text, reason="MailRefused")


def _text(answer: bytes | str) -> str:
    if isinstance(answer, bytes):
        answer = answer.decode("utf-8", "replace")
    return cut(answer)


def _is_loopback(sock: socket.socket | None) -> bool:
    if sock is None:
        return False
    address = str(sock.getpeername()[0]).partition("%")[0]
    return ipaddress.ip_address(address).is_loopback
