"""Which remotes may be spoken to, and whether a credential may go there."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.ports.git import BasicAuth, BearerAuth, GitReason, Remote, SshAuth

_SCP = re.compile(r"^(?:(?P<user>[\w.-]+)@)?(?P<host>[\w.-]+):(?P<path>[^:].*)$")
_PORTS = {"https": 443, "http": 80, "ssh": 22}
_SCHEMES = "file, https, http (loopback), ssh or an absolute path"


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """A checked URL; `text` is what git is given, it holds no secret."""

    text: str
    scheme: str
    host: str
    port: int
    path: str
    user: str | None


def redacted(url: str) -> str:
    """A URL for messages: no userinfo, no query, one short line."""
    without_query = url.partition("?")[0].partition("#")[0]
    return cut(re.sub(r"(?<=://)[^/@]*@", "", without_query))


def parse_url(url: str, *, allow_http: bool, is_prefix: bool = False) -> RemoteUrl:
    """The URL, or a `TerminalError` that says what is wrong with it and the mend.

    A prefix of a credential may be a host alone.
    """
    if (
        not url
        or url.startswith("-")
        or any(ord(c) <= 32 or ord(c) == 127 for c in url)
    ):
        raise _refused(url, "is empty, starts with '-' or has spaces in it")
    if url.startswith("/"):
        return RemoteUrl(url, "file", "", 0, url, None)
    if "://" not in url:
        return _scp_like(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise _refused(url, "is no valid URL") from exc
    scheme = parts.scheme.lower()
    if scheme not in {"file", *_PORTS}:
        raise _refused(url, f"uses the scheme {scheme}, not {_SCHEMES}")
    if parts.password is not None:
        raise _refused(url, "holds a password; give it as the repository's auth")
    host = (parts.hostname or "").lower()
    if scheme == "file":
        if host not in {"", "localhost"} or not parts.path.startswith("/"):
            raise _refused(url, "is no file:///absolute/path")
        return RemoteUrl(url, scheme, "", 0, unquote(parts.path), None)
    has_path = bool(parts.path.strip("/")) or is_prefix
    if not host or host.startswith("-") or not has_path:
        raise _refused(url, "names no host or no repository")
    if (parts.username or "").startswith("-"):
        raise _refused(url, "has a user that starts with '-'")
    if scheme == "http" and not (allow_http or _is_loopback(host)):
        raise _refused(url, "is plain http; use https, or set allowHttp for it")
    number = port or _PORTS[scheme]
    return RemoteUrl(url, scheme, host, number, unquote(parts.path), parts.username)


def check_credential(remote: Remote, url: RemoteUrl) -> None:
    """A `TerminalError` if the credential is of another kind or bound elsewhere."""
    if remote.credential is None:
        return
    match remote.credential.auth:
        case BasicAuth() | BearerAuth():
            fits = url.scheme in {"http", "https"}
        case SshAuth():
            fits = url.scheme == "ssh"
    if not fits:
        raise _refused(url.text, "does not fit its kind of credential")
    prefix = parse_url(
        remote.credential.prefix, allow_http=remote.allow_http, is_prefix=True
    )
    here, there = (_place(prefix), _place(url))
    below = _parts(url.path)[: len(_parts(prefix.path))] == _parts(prefix.path)
    if here != there or not below:
        message = f"is outside {redacted(prefix.text)}, where its credential may go"
        raise _refused(url.text, message)


def _place(url: RemoteUrl) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port


def _parts(path: str) -> tuple[str, ...]:
    parts = PurePosixPath("/" + path.strip("/")).parts
    if ".." in parts:  # a server would resolve it to somewhere else
        message = "credential paths hold no '..'"
        raise TerminalError(message, reason=GitReason.URL_REFUSED)
    return parts


def _scp_like(url: str) -> RemoteUrl:
    match = _SCP.match(url)
    hosts = (*_PORTS, "file")  # `file:x` is a slip, no host named file
    if match is None or "::" in url or match["host"] in hosts:
        raise _refused(url, f"is none of {_SCHEMES}")
    if match["host"].startswith("-"):
        raise _refused(url, "names a host that starts with '-'")
    user = match["user"]
    return RemoteUrl(url, "ssh", match["host"].lower(), 22, "/" + match["path"], user)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(url: str, what: str) -> TerminalError:
    message = f"repository {redacted(url) or '(no url)'} {what}"
    return TerminalError(message, reason=GitReason.URL_REFUSED)
