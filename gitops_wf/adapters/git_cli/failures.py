"""What git says on standard error, as an error that tells an operator what to do.

git has no error codes, only words; they are asked for in English (LC_ALL=C). What is
not recognised is worth another try.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.redaction import redact
from gitops_wf.core.secret import MASK, Secret
from gitops_wf.ports.git import GitReason


@dataclass(frozen=True, slots=True)
class _Known:
    """Words of git's that mean `reason`, and what to tell the operator."""

    pattern: str
    reason: GitReason
    words: str


_TERMINAL = (
    _Known(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        GitReason.HOST_KEY_MISMATCH,
        "the host key differs from known_hosts; ask the host's operator for the new "
        "key and mend known_hosts, if it was meant to change",
    ),
    _Known(
        r"No \S+ host key is known|Host key verification failed",
        GitReason.HOST_KEY_MISMATCH,
        "known_hosts has no key for the host; add the line that its operator publishes",
    ),
    _Known(
        r"Load key .*: (error in libcrypto|invalid format|incorrect passphrase)",
        GitReason.AUTHENTICATION_FAILED,
        "the ssh private key cannot be read; give an OpenSSH or PEM key without "
        "passphrase",
    ),
    _Known(
        r"Permission denied \(|Authentication failed|returned error: 401"
        r"|could not read (Username|Password)",
        GitReason.AUTHENTICATION_FAILED,
        "the server refuses the credentials, or wants some; check the auth of it",
    ),
    _Known(
        r"returned error: 403|[Aa]ccess denied|not authorized",
        GitReason.AUTHENTICATION_FAILED,
        "the credentials are not allowed to read it (403)",
    ),
    _Known(
        r"returned error: 3\d\d|unable to update url base from redirection",
        GitReason.REDIRECTED,
        "the server redirects to another address, where credentials are not sent; "
        "configure the address that it redirects to (often the same with .git)",
    ),
    _Known(
        r"SSL certificate|certificate verif|certificate problem"
        r"|error setting certificate|unable to get local issuer",
        GitReason.CERTIFICATE_INVALID,
        "the server's certificate is not trusted; name its CA in caFile",
    ),
    _Known(
        r"detected dubious ownership",
        GitReason.UNTRUSTED_DIRECTORY,
        "the directory belongs to another user; run as that user, or serve it over "
        "ssh or https",
    ),
    _Known(
        r"not valid: is this a git repository|invalid server response|bad line length"
        r"|protocol error(?!: bad pack header)",
        GitReason.REPOSITORY_NOT_FOUND,
        "what answers there does not speak Git; check the url",
    ),
    _Known(
        r"does not appear to be a git repository|repository .* not found"
        r"|Repository not found|returned error: 404|returned error: 410"
        r"|not a git repository",
        GitReason.REPOSITORY_NOT_FOUND,
        "there is no repository, or the credentials may not see it; check url and auth",
    ),
    _Known(
        r"fsck error|error: object [0-9a-f]+: |mismatched algorithms",
        GitReason.CORRUPT_REMOTE,
        "the remote holds objects that git refuses",
    ),
)
_TRANSIENT = (
    (r"returned error: (5\d\d)", "the server answered {0}"),
    (r"returned error: (429|408)", "the server answered {0}: too busy"),
    (r"Could not resolve host(?:name)?:? *([\w.-]*)", "the host {0} has no address"),
    (r"Connection refused|Couldn't connect", "the host refuses the connection"),
    (r"timed out|Timeout|too slow|No route to host", "the host does not answer"),
    (r"Network is unreachable", "this machine has no network"),
    (r"No space left on device", "no space left on this machine's disk"),
    (r"Read-only file system", "this machine's disk is read-only"),
    (r"Too many open files", "this process has too many files open"),
    (
        (
            r"bad pack header|early EOF|unexpected disconnect|hung up unexpectedly"
            r"|transfer closed|Connection reset|Recv failure|Empty reply"
        ),
        "the connection broke before all was sent",
    ),
)
_OUR_CLONE = re.compile(
    r"does not point to a valid object|bad object|object file .* is empty"
    r"|loose object .* is corrupt|inflate: data|packfile .* (cannot be|does not match)"
    r"|pack has bad object|unable to read (tree|sha1)|invalid object"
    r"|index file .* is too|garbage at end of|missing (blob|tree|commit)"
    r"|Could not read [0-9a-f]{40}|bad tree object|failed to read object"
    r"|could not parse commit|revision walk setup failed|unresolved deltas|bad config"
    r"|did not send all necessary objects|unknown repository extension|reference broken"
)


# Faults of old tools that many a history has; none of them can do harm.
HARMLESS_FAULTS = (
    "badEmail",
    "badName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)


def is_harmless_fault(stderr: str) -> bool:
    """Whether the fetch failed at an object whose fault does no harm (git-fsck(1))."""
    match = re.search(r"error: object [0-9a-f]+: (\w+):", stderr)
    return match is not None and match[1] in HARMLESS_FAULTS


def is_damage(stderr: str) -> bool:
    """Whether git complains about our own clone rather than about the remote."""
    ours = [ln for ln in stderr.splitlines() if not ln.startswith("remote:")]
    return _OUR_CLONE.search("\n".join(ours)) is not None


def remote_failure(
    subject: str, stderr: str, secrets: Iterable[Secret] = ()
) -> TerminalError | TransientError:
    """The error for a command that asked the remote and failed."""
    for known in _TERMINAL:
        if match := re.search(known.pattern, stderr):
            message = f"{subject}: {known.words}"
            if known.reason is GitReason.CORRUPT_REMOTE:
                message += (
                    f": {_said(stderr[match.start() :].splitlines()[0], secrets)}"
                )
            return TerminalError(message, reason=known.reason)
    for pattern, words in _TRANSIENT:
        if match := re.search(pattern, stderr):
            return TransientError(f"{subject}: {words.format(*match.groups())}")
    return TransientError(f"{subject}: {_said(stderr, secrets)}")


def _said(stderr: str, secrets: Iterable[Secret]) -> str:
    """The line of git's own that says most: its last `fatal:` or `error:`."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [ln for ln in lines if ln.startswith(("fatal:", "error:"))] or lines
    text = telling[-1].partition(": ")[2] if telling else ""
    known = tuple(secrets)
    for secret in known:  # the shortest, too: it is one line about this remote
        if secret:
            text = text.replace(secret.reveal(), MASK)
    text = re.sub(r"(?<=://)[^/@\s]*@", "", redact(text, known))
    return cut(text) or "git gave no reason"
