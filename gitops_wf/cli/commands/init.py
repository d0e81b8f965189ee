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
    try:
        for path, text in files.items():
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(f"wrote {file}")
    except OSError as exc:
        raise TerminalError(
            f"{exc.filename or directory}: {exc.strerror or exc}; choose another"
            " directory, or make this one writable",
            reason="CannotWrite",
        ) from exc
    print()
    _commit(directory, sorted(files))
    go = "" if directory.resolve() == Path.cwd() else f"cd {directory} && "
    print(f"Next: {go}gitops-wf run --sandbox --repo .")
    print("then, beside it: gitops-wf get environments")


def _commit(directory: Path, files: list[str]) -> None:
    """Make the files the first commit of a new repository."""
    if _git(directory, "rev-parse", "--show-toplevel").returncode == 0:
        print("They are in a repository already: commit them.")
        return
    _must(directory, "init", "--quiet", "--initial-branch=main")
    _must(directory, "add", "--", *files)
    commit = ("commit", "--quiet", "-m", "Scaffold staging and prod")
    if _git(directory, "var", "GIT_AUTHOR_IDENT").returncode == 0:
        _must(directory, *commit)
    else:
        _must(directory, *(word for pair in _NOBODY for word in ("-c", pair)), *commit)
        print(
            "git does not know who you are yet; set git config user.name and"
            " user.email before you commit."
        )
    print(f"{directory} is a repository now, with these files as its first commit.")


_NOBODY = (
    "user.name=gitops-wf init",
    "user.email=init@gitops-wf.invalid",
    "user.useConfigOnly=false",
)


def _must(directory: Path, *arguments: str) -> None:
    done = _git(directory, *arguments)
    if done.returncode:
        raise TerminalError(
            f"git {arguments[0]} failed in {directory}: {done.stderr.strip()}; the"
            " files are written, commit them by hand",
            reason="GitFailed",
        )


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
