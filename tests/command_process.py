"""One command of ours in a forked child, as if its process had just begun."""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitops_wf.cli.main import run

# What commands load when they are called, each forked child has already.
for _name in (
    *("bootstrap.planning", "bootstrap.running", "bootstrap.writing", "cli.checking"),
    *("bootstrap.looking", "services.query", "cli.description"),
):
    importlib.import_module(f"gitops_wf.{_name}")


def carry_out(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], out: Path, err: Path
) -> None:
    """Carry it out, and exit with its code."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for stream, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["gitops-wf", *arguments]
    sys.exit(run(arguments))
