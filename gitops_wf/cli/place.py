"""Finding the daemon that a command is about: its config, and so its store.

In this order: ``--config``; a ``.gitops-wf`` folder below the working directory,
as ``run --sandbox`` leaves it; the variable ``GITOPS_WF_CONFIG``.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.errors import DefinitionError, TerminalError

VARIABLE = "GITOPS_WF_CONFIG"
FOLDER = ".gitops-wf"
_NOTE = "sandbox.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxPlace:
    """What ``run --sandbox`` was told: no config file says it."""

    repository: Path
    branch: str
    directory: Path

    def remember(self) -> None:
        """Leave a note for the commands that come later."""
        self.directory.mkdir(parents=True, exist_ok=True)
        note = {"repository": str(self.repository), "branch": self.branch}
        text = json.dumps(note, indent=2) + "\n"
        (self.directory / _NOTE).write_text(text, encoding="utf-8")

    @classmethod
    def below(cls, working: Path) -> "SandboxPlace | None":
        """Return the place that was remembered below a directory.

        Errors: DefinitionError where the note cannot be read.
        """
        directory = working / FOLDER
        file = directory / _NOTE
        try:
            note = json.loads(file.read_text(encoding="utf-8"))
            return cls(
                repository=Path(note["repository"]),
                branch=str(note["branch"]),
                directory=directory,
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise DefinitionError(
                str(file), None, "cannot be read; start `gitops-wf run --sandbox` again"
            ) from exc


def find_config(config: Path | None) -> DaemonConfig:
    """Return the config of the daemon that is meant.

    Errors: TerminalError where none is found, DefinitionError where it is wrong.
    """
    from gitops_wf.bootstrap import load_config, sandbox_config

    if config is not None:
        return load_config(config)
    place = SandboxPlace.below(Path.cwd())
    if place is not None:
        return sandbox_config(place.repository, place.directory, branch=place.branch)
    named = os.environ.get(VARIABLE)
    if named:
        return load_config(Path(named))
    raise TerminalError(
        f"no daemon config: name it with --config FILE or in {VARIABLE}, or come to"
        f" the directory where `gitops-wf run --sandbox` was started (there is no"
        f" {FOLDER} here)",
        reason="NoConfig",
    )
