"""Which folders are environments, and what they are called.

A glob is matched segment by segment: `*`, `?` and `[…]` stay within one, `**` stands
for any number of them. A pattern with `!` before it leaves out what it matches; where
the patterns stand does not matter.
"""

import functools
import re
from collections.abc import Sequence
from fnmatch import translate

_WILD = re.compile(r"[*?\[]")


def matches(folder: str, globs: Sequence[str]) -> bool:
    """Whether a pattern matches the folder and none with `!` does."""
    taken, left_out = _split(tuple(globs))
    parts = _segments(folder)
    return any(_match(parts, glob) for glob in taken) and not any(
        _match(parts, glob) for glob in left_out
    )


def name_below(folder: str, globs: Sequence[str]) -> str:
    """The folder's path below the fixed prefix of the first glob that matches it.

    `envs/*` makes `prod` of `envs/prod`; a glob without wildcards leaves the folder's
    own name.
    """
    parts = _segments(folder)
    for glob in _split(tuple(globs))[0]:
        if _match(parts, glob):
            fixed = 0
            while fixed < len(glob) and not _WILD.search(glob[fixed]):
                fixed += 1
            return "/".join(parts[max(0, min(fixed, len(parts) - 1)) :])
    return parts[-1] if parts else ""


@functools.lru_cache(maxsize=256)
def _split(
    globs: tuple[str, ...],
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    taken = tuple(_segments(glob) for glob in globs if not glob.startswith("!"))
    left_out = tuple(_segments(glob[1:]) for glob in globs if glob.startswith("!"))
    return taken, left_out


def _segments(glob: str) -> tuple[str, ...]:
    return tuple(part for part in glob.strip("/").split("/") if part not in {"", "."})


@functools.lru_cache(maxsize=1024)
def _pattern(segment: str) -> re.Pattern[str]:
    return re.compile(translate(segment))


def _match(parts: tuple[str, ...], glob: tuple[str, ...]) -> bool:
    """Match by a table over both, so that many `**` cost no more than one."""
    reached = {0}
    for segment in glob:
        if segment == "**":
            reached = (
                set(range(min(reached, default=0), len(parts) + 1))
                if reached
                else set()
            )
            continue
        pattern = _pattern(segment)
        reached = {
            at + 1 for at in reached if at < len(parts) and pattern.match(parts[at])
        }
    return len(parts) in reached
