"""HTTP requests, mail and messages by many services, as roles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from gitops_wf.core.notifications.verdict import Verdict
from gitops_wf.core.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request. The URL, header values and the body may be secrets."""

    method: str
    url: str | Secret
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    body: bytes | Secret = b""
    timeout: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """An answer; the body is capped, ``is_cut`` says that more came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False


class Outbound(Protocol):
    """Sends HTTP requests.

    No redirect to another host; link-local and metadata addresses are refused
    unless the daemon config allows them. Errors: TransientError where no answer
    came (refused, timed out, hung up), TerminalError where the request may not be
    sent at all. Any status is an answer, not an error.
    """

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send it once and return the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail; ``html`` and ``text`` are alternatives of the same."""

    sender: str
    to: Sequence[str]
    subject: str
    text: str
    html: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """How to reach an SMTP server; ``tls`` is one of starttls, tls, none."""

    host: str
    port: int = 587
    tls: str = "starttls"
    username: str = ""
    password: Secret | None = None
    timeout: timedelta = timedelta(seconds=20)


class Mailer(Protocol):
    """Sends mail. Errors as Outbound's; a 5xx answer is a TerminalError."""

    def send(self, mail: Mail, server: MailServer) -> str:
        """Send it and return what the server answered."""


class Relay(Protocol):
    """Sends plain text by the service that a URL of its own kind names.

    Its connections are guarded as Outbound's. Errors: TransientError where no answer
    came, TerminalError where it may not be sent at all.
    """

    def send(
        self, url: Secret, subject: str, text: str, *, check: Callable[[str], None]
    ) -> Verdict:
        """Send it once and judge the answer.

        ``check`` raises a TerminalError for a host that it may not be sent to; it is
        asked for each that the service leads to.
        """
