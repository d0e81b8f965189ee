"""What a damaged or interrupted clone leaves behind, and how it is put right."""

import contextlib
import re
import shutil
from pathlib import Path

from gitops_wf.core.identifiers import Sha

ASIDE = ".damaged"
BESIDE = ".new"
_LOOSE = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})\s*\Z")


def remove_stale_locks(git_dir: Path) -> None:
    """Removes lock files of git commands that were killed.

    A clone belongs to one daemon, so none of them can be in use when it opens it.
    """
    places = (*git_dir.glob("*.lock"), *(git_dir / "refs").rglob("*.lock"))
    for lock in places:
        lock.unlink(missing_ok=True)


def replace(git_dir: Path, fresh: Path) -> None:
    """Puts `fresh` in the place of a damaged clone, kept as `<name>.damaged`.

    The one that was kept before goes: there is never more than one.
    """
    aside = git_dir.with_name(git_dir.name + ASIDE)
    shutil.rmtree(aside, ignore_errors=True)
    if git_dir.exists():
        git_dir.rename(aside)
    fresh.rename(git_dir)


def refs_below(git_dir: Path, prefix: str) -> dict[str, Sha]:
    """Refs that start with `prefix`, from the files: git may not open this clone.

    The loose ones are read first, though they count more: packing writes a ref into
    the one file before it deletes its own, so none is missed while that goes on.
    """
    loose: dict[str, Sha] = {}
    place = git_dir / prefix
    for file in place.rglob("*") if place.is_dir() else (place,):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if match := _LOOSE.match(file.read_text("ascii")):
                loose[str(file.relative_to(git_dir))] = Sha(match[1])
    packed: dict[str, Sha] = {}
    if prefix in loose:
        return loose  # a whole name: no other begins with it
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in (git_dir / "packed-refs").read_text("utf-8").splitlines():
            text, _, name = line.partition(" ")
            if name.startswith(prefix) and (match := _LOOSE.match(text)):
                packed[name] = Sha(match[1])
    return packed | loose


def serve_from(git_dir: Path) -> None:
    """Gives a clone moved aside a plain config with which it can be fetched from."""
    config = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[uploadpack]\n"
    config += "\tallowFilter = true\n\tallowAnySHA1InWant = true\n"
    (git_dir / "config").write_text(config)
    (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
