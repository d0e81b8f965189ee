"""The environment that git gets: nobody's configuration, no prompts, no ambient secret.

Settings are given by environment variables, secrets by private files that exist only
while a command asks the remote: they stand neither on a command line nor in the clone's
config, nor in what ``/proc/PID/environ`` shows. Each setting cites what it prevents.
"""

import base64
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from gitops_wf.adapters.git_cli.failures import HARMLESS_FAULTS
from gitops_wf.adapters.git_cli.remote_url import RemoteUrl
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.secret import Secret
from gitops_wf.ports.git import BasicAuth, BearerAuth, GitReason, Remote, SshAuth

_PRIVATE = "gitops-wf-git-"
_SSH_OPTIONS = (
    "BatchMode=yes",  # no prompt
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=15",
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    "ForwardAgent=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
)
_CONFIG = (
    *((f"fetch.fsck.{fault}", "ignore") for fault in HARMLESS_FAULTS),
    ("core.hooksPath", os.devnull),
    ("protocol.ext.allow", "never"),
    ("transfer.fsckObjects", "true"),  # crafted objects, such as a tree with .git in it
    ("credential.helper", ""),  # none
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),  # `maintain` does it, when nobody waits
    ("maintenance.auto", "false"),
    # Packing the refs of many revisions takes a moment, and others wait for it.
    ("core.packedRefsTimeout", "10000"),
    ("core.filesRefLockTimeout", "5000"),
    ("http.sslVerify", "true"),
    ("http.lowSpeedLimit", "500"),
    ("http.lowSpeedTime", "30"),
    ("i18n.logOutputEncoding", "UTF-8"),
    ("log.showSignature", "false"),
)


def local_environment(
    git_dir: Path, extra: Sequence[tuple[str, str]] = ()
) -> dict[str, str]:
    """For commands that read the clone: whatever they do, they ask no remote."""
    return {
        "GIT_DIR": str(git_dir),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        # no ~/.netrc: curl would send what it finds there
        "HOME": str(git_dir),
        "XDG_CONFIG_HOME": str(git_dir),
        **_config_variables((*_CONFIG, *extra)),
    }


def promised(blobs: str | None) -> list[tuple[str, str]]:
    """Say that what a filter left out is at the remote; None for no filter.

    Not `fetch --filter`: that writes to the clone's config, and then commands
    which read the clone would fetch, one blob at a time.
    """
    if blobs is None:
        return []
    return [
        ("remote.origin.promisor", "true"),
        ("remote.origin.partialclonefilter", blobs),
    ]


@contextmanager
def remote_environment(
    git_dir: Path, remote: Remote, url: RemoteUrl, *, blobs: str | None
) -> Iterator[dict[str, str]]:
    """For commands that ask the remote; key files exist only while it lasts.

    `blobs` is the filter of what is fetched, None for everything.
    """
    extra = [
        ("remote.origin.url", url.text),
        # A header that carries a credential would be sent again wherever a redirect
        # leads; so redirects are followed only when there is nothing to lose.
        ("http.followRedirects", "false" if remote.credential else "initial"),
    ]
    extra += promised(blobs)
    if remote.ca_file is not None:
        extra += [("http.sslCAInfo", remote.ca_file)]
    auth = remote.credential.auth if remote.credential else None
    # http may redirect to https, never the other way
    schemes = "http:https" if url.scheme == "http" else url.scheme
    more = {"GIT_ALLOW_PROTOCOL": schemes, "GIT_NO_LAZY_FETCH": "0"}
    more |= {"GIT_SSH_VARIANT": "ssh"}
    options = " ".join(f"-o {option}" for option in _SSH_OPTIONS)
    more |= {"GIT_SSH_COMMAND": f"ssh {options}"}
    with ExitStack() as stack:
        match auth:
            case SshAuth():
                directory = stack.enter_context(_key_files(git_dir, auth))
                more |= {"GIT_SSH_COMMAND": _ssh_command(directory)}
            case BasicAuth() | BearerAuth():
                file = stack.enter_context(
                    _header_file(git_dir, _origin(url), _header(auth))
                )
                extra += [("include.path", str(file))]
            case None:
                pass
        yield local_environment(git_dir, extra) | more


def forget_private_files(git_dir: Path) -> None:
    """Delete the private files that a killed process has left in a clone."""
    for folder in git_dir.glob(f"{_PRIVATE}*"):
        shutil.rmtree(folder, ignore_errors=True)


def secrets_of(remote: Remote) -> tuple[Secret, ...]:
    """Everything that must not show in what git says about this remote."""
    match remote.credential.auth if remote.credential else None:
        case BasicAuth(password=password) as basic:
            return password, Secret(_basic(basic))
        case BearerAuth(token=token):
            return (token,)
        case SshAuth(private_key=key):
            return (key,)
        case None:
            return ()


def _config_variables(pairs: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    variables = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def _origin(url: RemoteUrl) -> str:
    """The URL that git matches `http.<url>.*` against: this repository and below."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}:{url.port}/{quote(url.path.strip('/'))}"


def _basic(auth: BasicAuth) -> str:
    pair = f"{auth.username}:{auth.password.reveal()}"
    return base64.b64encode(pair.encode()).decode()


def _header(auth: BasicAuth | BearerAuth) -> str:
    match auth:
        case BasicAuth():
            return f"Authorization: Basic {_basic(auth)}"
        case BearerAuth(token=token):
            value = token.reveal()
    if not value.isascii() or not value.isprintable() or " " in value:
        message = "the bearer token holds spaces, line ends or other unfit characters"
        raise TerminalError(message, reason=GitReason.AUTHENTICATION_FAILED)
    return f"Authorization: Bearer {value}"


@contextmanager
def _key_files(git_dir: Path, auth: SshAuth) -> Iterator[Path]:
    with _private_folder(git_dir) as directory:
        # ssh refuses a key whose last line does not end.
        key = auth.private_key.reveal().rstrip("\n") + "\n"
        _write_private(directory / "key", key)
        _write_private(directory / "known_hosts", auth.known_hosts)
        yield directory


@contextmanager
def _header_file(git_dir: Path, origin: str, header: str) -> Iterator[Path]:
    """Write a config file for git to include; in it values are quoted (git-config)."""
    quoted = header.replace("\\", "\\\\").replace('"', '\\"')
    with _private_folder(git_dir) as directory:
        text = f'[http "{origin}"]\n\textraHeader = "{quoted}"\n'
        _write_private(directory / "config", text)
        yield directory / "config"


@contextmanager
def _private_folder(git_dir: Path) -> Iterator[Path]:
    place = git_dir if git_dir.is_dir() else None  # else the system's: it is to be made
    directory = Path(tempfile.mkdtemp(prefix=_PRIVATE, dir=place))  # mode 0700
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
    ) as f:
        f.write(text)


def _ssh_command(directory: Path) -> str:
    """Only this key and these hosts: no agent, no ssh config, no defaults."""
    options = (
        *_SSH_OPTIONS,
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey",
        f"UserKnownHostsFile={directory}/known_hosts",
        f"GlobalKnownHostsFile={os.devnull}",
    )
    words = ["ssh", "-F", os.devnull, "-i", f"{directory}/key"]
    words += [word for option in options for word in ("-o", option)]
    return shlex.join(words)
