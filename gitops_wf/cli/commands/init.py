"""`init`: an example repository and a daemon config to begin with."""

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from gitops_wf.cli.example import example_files
from gitops_wf.core.errors import TerminalError


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Made if it is not there.")
    ] = Path(),
) -> None:
    """Write an example: environments staging and prod, and a daemon config.

    Nothing is overwritten. A directory that is in no repository becomes one, with the
    example as its first commit.
    """
    files = example_files()
    there = [path for path in files if (directory / path).exists()]
    if there:
        raise TerminalError(
            f"{directory}: {', '.join(there)} would be overwritten; choose another"
            " directory, or move them away",
            reason="WouldOverwrite",
        )
    for path, text in files.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(f"wrote {file}")
    print()
    _commit(directory, sorted(files))
    go = "" if directory.resolve() == Path.cwd() else f"cd {directory} && "
    print(f"Next: {go}gitops-wf run --sandbox --repo .")
    print("then, beside it: gitops-wf get environments")


def _commit(directory: Path, files: list[str]) -> None:
    """Make the files the first commit of a new repository."""
    if _git(directory, "rev-parse", "--show-toplevel").returncode == 0:
        print("Commit these files; they are in a repository already.")
        return
    for arguments in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--", *files),
        ("commit", "--quiet", "-m", "Scaffold staging and prod"),
    ):
        done = _git(directory, *arguments)
        if done.returncode:
            print(done.stderr.strip())
            print(f"\nMend that, then in {directory}: git commit -m 'Scaffold'")
            return
    print(f"{directory} is a repository now, with these files as its first commit.")


def _git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as exc:
        raise TerminalError(
            "git is not installed or not on PATH", reason="GitUnusable"
        ) from exc
