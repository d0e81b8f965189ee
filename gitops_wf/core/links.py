"""Where a commit can be looked at on the web, as far as its remote's URL tells."""

import re

COMMIT = "{commit}"
"""Stands for the commit's id in a template."""

_URL = re.compile(
    r"(?P<scheme>https?|ssh)://(?:[^/@]*@)?(?P<host>[\w.-]+)(?P<port>:\d+)?/(?P<path>.+)"
)
_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/:].*)")
_PATHS = {
    "github": "commit",
    "gitlab": "-/commit",
    "gitea": "commit",
    "forgejo": "commit",
    "codeberg": "commit",
    "bitbucket.org": "commits",
}
"""By a part of the host's name; Bitbucket's own servers have other addresses."""


def commit_template(remote: str, written: str = "") -> str:
    """Return the address of a repository's commits with `COMMIT` in it, or nothing.

    ``written`` is what the daemon config says, which counts before what ``remote``
    tells. A host is known by its name: github.com, gitlab.example.com, gitea.local.
    """
    if written:
        return written
    found = _URL.fullmatch(remote) or _SCP.fullmatch(remote)
    if found is None:
        return ""
    host, path = found["host"], found["path"].strip("/").removesuffix(".git")
    where = next((_PATHS[name] for name in _PATHS if _is(name, host)), None)
    if where is None or path.count("/") < 1:
        return ""
    parts = found.groupdict()
    scheme = parts.get("scheme") if parts.get("scheme") == "http" else "https"
    # A port of ssh says nothing about that of the web.
    port = "" if parts.get("scheme") in {None, "ssh"} else parts.get("port") or ""
    return f"{scheme}://{host}{port}/{path}/{where}/{COMMIT}"


def _is(name: str, host: str) -> bool:
    return host == name or ("." not in name and name in host.split("."))


def commit_link(template: str, commit: str) -> str:
    """Return the address of one commit; nothing where there is no template."""
    return template.replace(COMMIT, commit)
