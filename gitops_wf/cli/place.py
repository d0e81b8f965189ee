"""Finding the daemon that a command is about: its config, and so its store.

In this order: ``--config``; the ``.gitops-wf`` folder, here or above here in the work
tree, where ``run`` left a note of what it was told; the variable ``GITOPS_WF_CONFIG``.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_wf.core.errors import DefinitionError, TerminalError

if TYPE_CHECKING:
    from gitops_wf.core.config import DaemonConfig

VARIABLE = "GITOPS_WF_CONFIG"
FOLDER = ".gitops-wf"
NOTE = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What ``run`` was told: a config file, or a repository for the sandbox.

    ``directory`` is the ``.gitops-wf`` below its working directory.
    """

    directory: Path
    config: Path | None = None
    repository: Path | None = None
    branch: str = "main"

    def load(self) -> DaemonConfig:
        """Return the config; errors as `load_config` has them."""
        from gitops_wf.bootstrap.configs import load_config, sandbox_config

        if self.config is not None:
            return load_config(self.config)
        assert self.repository is not None
        return sandbox_config(self.repository, self.directory, branch=self.branch)

    def remember(self) -> None:
        """Leave a note for the commands that come later, if the place allows it.

        It is no file of the repository that may be around it, so Git ignores it.
        """
        note = {
            "config": None if self.config is None else str(self.config.absolute()),
            "repository": None
            if self.repository is None
            else str(self.repository.absolute()),
            "branch": self.branch,
        }
        with suppress(OSError):
            self.directory.mkdir(parents=True, exist_ok=True)
            (self.directory / ".gitignore").write_text("*\n", encoding="utf-8")
            text = json.dumps(note, indent=2) + "\n"
            (self.directory / NOTE).write_text(text, encoding="utf-8")

    @classmethod
    def remembered(cls, directory: Path) -> Told | None:
        """Return what a directory's note says.

        Errors: DefinitionError where the note cannot be read.
        """
        file = directory / NOTE
        try:
            note = json.loads(file.read_text(encoding="utf-8"))
            config, repository = note["config"], note["repository"]
            return cls(
                directory=directory,
                config=None if config is None else Path(config),
                repository=None if config is not None else Path(repository),
                branch=str(note["branch"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise DefinitionError(
                str(file), None, "cannot be read; start `gitops-wf run` again"
            ) from exc


def noted() -> Told | None:
    """Return what the nearest note says, here or above here in the work tree.

    Beyond the work tree nothing is believed: what is there may be anybody's.

    Errors: DefinitionError where a note cannot be read.
    """
    folders = [Path.cwd(), *Path.cwd().parents]
    top = next((n for n, one in enumerate(folders) if (one / ".git").exists()), 0)
    for folder in folders[: top + 1]:
        told = Told.remembered(folder / FOLDER)
        if told is not None:
            return told
    return None


def find(config: Path | None) -> Told:
    """Return what the daemon that is meant was told.

    Errors: TerminalError where none is found, DefinitionError where a note is wrong.
    """
    directory = Path.cwd() / FOLDER
    if config is not None:
        return Told(directory=directory, config=config)
    told = noted()
    if told is not None:
        return told
    named = os.environ.get(VARIABLE)
    if named:
        return Told(directory=directory, config=Path(named))
    raise TerminalError(
        f"no daemon config: name it with --config FILE or in {VARIABLE}, or come to"
        f" the directory where `gitops-wf run` was started (there is no {FOLDER}"
        " here or above)",
        reason="NoConfig",
    )


def find_config(config: Path | None) -> DaemonConfig:
    """Return the config of the daemon that is meant; errors as `find` and `load`."""
    return find(config).load()
