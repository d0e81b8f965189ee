"""What a damaged or interrupted clone leaves behind, and how it is put right."""

import contextlib
import re
import shutil
from pathlib import Path

from gitops_wf.core.identifiers import Sha

_LOOSE = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\s*\Z")


def remove_stale_locks(git_dir: Path) -> None:
    """Removes lock files of git commands that were killed.

    A clone belongs to one daemon, so none of them can be in use when it opens it.
    """
    places = (*git_dir.glob("*.lock"), *(git_dir / "refs").rglob("*.lock"))
    for lock in places:
        lock.unlink(missing_ok=True)


def replace(git_dir: Path, fresh: Path) -> None:
    """Puts `fresh` in the place of a damaged clone, kept as `<name>.damaged`."""
    aside = git_dir.with_name(git_dir.name + ".damaged")
    shutil.rmtree(aside, ignore_errors=True)
    if git_dir.exists():
        git_dir.rename(aside)
    fresh.rename(git_dir)


def refs_below(git_dir: Path, prefix: str) -> dict[str, Sha]:
    """Refs that start with `prefix`, from the files: git may not open this clone."""
    found: dict[str, Sha] = {}
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in (git_dir / "packed-refs").read_text("utf-8").splitlines():
            text, _, name = line.partition(" ")
            if name.startswith(prefix) and (match := _LOOSE.match(text)):
                found[name] = Sha(match[1])
    place = git_dir / prefix
    for file in place.rglob("*") if place.is_dir() else (place,):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if match := _LOOSE.match(file.read_text("ascii")):
                found[str(file.relative_to(git_dir))] = Sha(match[1])
    return found


def serve_from(git_dir: Path) -> None:
    """Gives a clone moved aside a plain config with which it can be fetched from."""
    config = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[uploadpack]\n"
    config += "\tallowFilter = true\n\tallowAnySHA1InWant = true\n"
    (git_dir / "config").write_text(config)
    (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
