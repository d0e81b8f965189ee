"""Paths as git takes them, behind `--` and with literal pathspecs."""

from collections.abc import Sequence


def pathspecs(paths: Sequence[str]) -> Sequence[str]:
    """Return what limits a command to these paths; the root, `""`, limits nothing.

    Git refuses the empty string: "empty string is not a valid pathspec".
    """
    return () if "" in paths else paths
