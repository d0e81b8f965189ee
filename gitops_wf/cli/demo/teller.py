"""Telling the demo: what is said, what is typed, and waiting for Enter."""

import shlex
import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gitops_wf.cli.table import one_line
from gitops_wf.core.errors import TerminalError

_NO_LIMIT = 1_000_000
"""Columns where no terminal says how many it has."""


class Teller:
    """Says things and runs commands, each shown before it runs."""

    def __init__(self, out: Console, *, asks: bool) -> None:
        self._out = out
        self._asks = asks

    def title(self, text: str) -> None:
        """Begin an act."""
        self._out.print(Text(f"\n{text}", "bold"))

    def say(self, text: str, style: str = "") -> None:
        """Say a line."""
        self._out.print(Text(text, style))

    def fact(self, name: str, value: object) -> None:
        """Say where something is."""
        self._out.print(Text.assemble((f"  {name:<12}", "dim"), str(value)))

    def pause(self, what: str = "go on") -> None:
        """Wait for Enter, where somebody is there to press it."""
        if self._asks:
            self._out.print(Text(f"  [Enter] to {what} ", "dim"), end="")
            input()

    def edit(self, file: str, lines: str) -> None:
        """Show what is written to a file."""
        self._out.print(Text(f"  edit {file}", "bold cyan"))
        for line in lines.splitlines():
            self._out.print(Text(f"    {line}", "cyan"))

    def git(
        self, directory: Path, *arguments: str, env: Mapping[str, str] | None = None
    ) -> str:
        """Show a git command, wait for Enter, run it, and show what it says.

        Errors: TerminalError where git fails.
        """
        self._out.print(Text(f"  $ git {shlex.join(arguments)}", "bold cyan"))
        self.pause("run it")
        return git(directory, *arguments, env=env)

    def progress(self, text: str) -> None:
        """Tell what the daemon does, folded to the terminal."""
        width = self._out.width if self._out.is_terminal else _NO_LIMIT
        for line in textwrap.wrap(
            one_line(text),
            width,
            initial_indent="    ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        ):
            self._out.print(Text(line, "dim"))


def git(directory: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run git; return what it prints. Errors: TerminalError with its own words."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=directory,
            env=None if env is None else dict(env),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as exc:
        raise TerminalError(
            "git is not installed or not on PATH", reason="GitUnusable"
        ) from exc
    if done.returncode:
        raise TerminalError(
            f"git {shlex.join(arguments)} failed: {done.stderr.strip()}",
            reason="GitFailed",
        )
    return done.stdout.strip()
