"""Which work tree of a person belongs to a watched repository."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gitops_wf.adapters.git_cli.process import run

_TIMEOUT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkTree:
    """A work tree; ``remote`` is the watched repository's name there.

    Without one the work tree is itself what is watched, so a commit is enough.
    """

    path: Path
    remote: str | None


def find_work_tree(here: Path, url: str) -> WorkTree | None:
    """Return the work tree around a directory, if it is one of this repository.

    Where the watched repository is itself a work tree on this machine, that one is
    meant, wherever the person stands.
    """
    watched = _path_of(url)
    if watched is not None:
        top = _top(watched)
        if top is not None:
            return WorkTree(path=top, remote=None)
    top = _top(here)
    if top is None:
        return None
    for name in _lines(top, "remote"):
        urls = _lines(top, "remote", "get-url", "--all", "--end-of-options", name)
        if any(_same(each, url, top) for each in urls):
            return WorkTree(path=top, remote=name)
    return None


def current_branch(path: Path) -> str | None:
    """Return the branch that HEAD of a repository names, born or not."""
    lines = _lines(path, "symbolic-ref", "--short", "-q", "HEAD")
    return lines[0] if lines else None


def repository_at(path: Path) -> Path:
    """Return the top of the work tree around a directory; else the directory."""
    return _top(path) or path


def _top(path: Path) -> Path | None:
    """Return the top of the work tree around a directory; None for a bare one."""
    if not path.is_dir():
        return None
    lines = _lines(path, "rev-parse", "--show-toplevel")
    return Path(lines[0]) if lines else None


def _same(one: str, other: str, top: Path) -> bool:
    here, there = _path_of(one, top), _path_of(other)
    if here is not None or there is not None:
        return here is not None and there is not None and _real(here) == _real(there)
    return _plain(one) == _plain(other)


def _path_of(url: str, top: Path | None = None) -> Path | None:
    """Return the directory that a URL is; None where it is on another machine."""
    if url.startswith("file://"):
        return Path(unquote(urlsplit(url).path))
    if "://" in url or (":" in url and "/" not in url.split(":", maxsplit=1)[0]):
        return None
    path = Path(url)
    return path if path.is_absolute() or top is None else top / path


def _real(path: Path) -> Path:
    real = path.resolve()
    return real.parent if real.name == ".git" else real


def _plain(url: str) -> tuple[str, str]:
    """Return host and path, however a person's own URL spells the rest."""
    if "://" in url:
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path
    else:
        host, _, path = url.partition(":")
        host = host.rpartition("@")[2]
    return host.casefold(), path.strip("/").removesuffix(".git")


def _lines(directory: Path, *args: str) -> list[str]:
    """Return what git prints, or nothing where it fails: no repository, no remote."""
    done = run(directory, args, {}, timeout=_TIMEOUT, personal=True)
    if done.code:
        return []
    return done.stdout.decode("utf-8", "surrogateescape").splitlines()
