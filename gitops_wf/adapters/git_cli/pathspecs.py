"""Paths as git takes them, behind `--` and with literal pathspecs."""

from collections.abc import Sequence

_MOST_BYTES = 64 << 10
"""Half of what Linux takes as one argument, and far below all that it takes."""


def pathspecs(paths: Sequence[str]) -> Sequence[str]:
    """Return what limits a command to these paths, or nothing where nothing can.

    The root, `""`, limits nothing, and git refuses it ("empty string is not a valid
    pathspec"). Paths that no command line takes can be written, too: without a limit
    git says more than was asked for, and a definition cannot keep it from being asked.
    """
    size = sum(len(path.encode("utf-8", "surrogateescape")) for path in paths)
    return () if "" in paths or size > _MOST_BYTES else paths


def is_below(path: str, paths: Sequence[str]) -> bool:
    """Whether one of the paths holds a file."""
    return any(not p or path == p or path.startswith(f"{p}/") for p in paths)
