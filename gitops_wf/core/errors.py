"""The families of errors, told apart by what happens next.

::

    GitOpsError
    ├── DefinitionError         only a commit helps: a file is wrong
    ├── TerminalError           end it: trying again cannot help
    ├── TransientError          try again, within the limits of whoever asked
    └── InvalidTransitionError  a bug of ours: an event that its state does not allow

A class is added only where somebody catches it differently. Expected outcomes are
values, not errors. Messages say subject, what, cause; lower-case start, no full stop;
untrusted text in them is cut (see `cut`).
"""

from datetime import timedelta

UNTRUSTED_TEXT_LIMIT = 256
"""Characters of untrusted text that a message may carry (kopf's limit)."""


def cut(text: str, limit: int = UNTRUSTED_TEXT_LIMIT) -> str:
    """Untrusted text as one printable line of at most `limit` characters."""
    line = " ".join(
        "".join(char if char.isprintable() else " " for char in text).split()
    )
    return line if len(line) <= limit else line[: limit - 1] + "…"


def cut_inside(text: str, limit: int = UNTRUSTED_TEXT_LIMIT) -> str:
    """As `cut`, but the middle goes: the end of a text may say what is wrong."""
    line = cut(text, len(text))
    half = limit // 2
    return line if len(line) <= limit else f"{line[: half - 1]}…{line[-half:]}"


class GitOpsError(Exception):
    """Root of the families; never raised itself."""

    def __init__(self, message: str) -> None:
        if type(self) is GitOpsError:
            raise TypeError("GitOpsError is a root: raise one of its families")
        super().__init__(message)
        self.message = message


class DefinitionError(GitOpsError):
    """A file in Git or a config file is wrong; prints `path:line: message`.

    `line` counts from 1; None when the whole file is meant.
    """

    def __init__(self, path: str, line: int | None, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.line = line

    def __str__(self) -> str:
        # A path is anybody's text: Git takes line ends and escape sequences in one.
        path = cut(self.path)
        where = path if self.line is None else f"{path}:{self.line}"
        return f"{where}: {self.message}"


class TerminalError(GitOpsError):
    """Trying again cannot help; `reason` is the PascalCase cause beside a phase."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class TransientError(GitOpsError):
    """Worth another try; `retry_after` is the wait that the other side asked for."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InvalidTransitionError(GitOpsError):
    """An event met a state that does not allow it; the state is left as it was."""
