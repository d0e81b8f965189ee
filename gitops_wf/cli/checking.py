"""Reading files for `validate` and `health`: a work tree, manifests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from gitops_wf.bootstrap.configs import load_config
from gitops_wf.bootstrap.files import definition_reader
from gitops_wf.bootstrap.health import health_rules
from gitops_wf.cli.place import FOLDER
from gitops_wf.core.config import DaemonConfig, RepositoryConfig
from gitops_wf.core.errors import DefinitionError, TerminalError
from gitops_wf.core.identifiers import RepositoryName, TargetName
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.ports.content import File
from gitops_wf.services.health_files import health_of_files
from gitops_wf.services.validate import Checked, FileTree, Validate
from gitops_wf.services.watched import MAX_FILE_BYTES

STDIN = Path("-")
_MANIFESTS = {".yaml", ".yml", ".json"}


def check(path: Path, config: Path | None, repository: str | None) -> list[Checked]:
    """Check the environments of the work tree around a path, those at the path.

    Errors: BadParameter where it is not clear which repository it is; those of
    `load_config`.
    """
    daemon = load_config(config) if config is not None else None
    top = _top(path)
    checked = Validate(
        repository=_repository(daemon, repository, top),
        definitions=definition_reader(daemon),
        manifests=read_manifests,
    ).check(_file_tree(top))
    below = path.relative_to(top).as_posix()
    return [each for each in checked if _overlaps(each.folder, below)]


def health_rows(path: Path, config: Path | None) -> list[tuple[str, str, str, str]]:
    """Return source, object, status and message of each object in files.

    Errors: DefinitionError for what is no object; those of `load_config`.
    """
    rules = health_rules(load_config(config) if config is not None else None)
    return [
        (row.source, row.object, str(row.status), row.message)
        for row in health_of_files(_manifest_files(path), read_manifests, rules)
    ]


def rule_rows(config: Path | None) -> list[tuple[str, str, str]]:
    """Return group, kind and origin (``file:line``) of each health rule that holds.

    Errors: those of `load_config`.
    """
    rules = health_rules(load_config(config) if config is not None else None)
    return [(rule.group, rule.kind or "*", rule.origin) for rule in rules]


def _file_tree(top: Path) -> FileTree:
    """Return the regular files below a directory; nothing follows a link."""
    return FileTree(
        paths=sorted(_paths(top)), read=lambda path: _bytes(top / path, path)
    )


def _paths(top: Path) -> Iterator[str]:
    for directory, folders, files in os.walk(top):
        folders[:] = [name for name in folders if name not in {".git", FOLDER}]
        for name in files:
            yield (Path(directory) / name).relative_to(top).as_posix()


def _bytes(file: Path, path: str) -> bytes | None:
    if file.is_symlink():
        raise DefinitionError(path, None, "is a symlink; only regular files are read")
    if not file.is_file():
        return None
    size = file.stat().st_size
    if size > MAX_FILE_BYTES:
        raise DefinitionError(
            path,
            None,
            f"has {size} bytes, more than the {MAX_FILE_BYTES} that are read; split it",
        )
    return file.read_bytes()


def _top(path: Path) -> Path:
    """Return the top of the work tree around a path, else the path itself."""
    start = path if path.is_dir() else path.parent
    for folder in (start, *start.parents):
        if (folder / ".git").exists():
            return folder
    return start


def _repository(
    daemon: DaemonConfig | None, name: str | None, top: Path
) -> RepositoryConfig:
    """Return which folders are environments: the config's word, else the default."""
    if daemon is None:
        if name is not None:
            raise typer.BadParameter("--repository goes with --config")
        # As `run --sandbox` would have it: what names no target goes to the sandbox.
        return RepositoryConfig(
            name=RepositoryName(top.name),
            url=str(top),
            targets=(TargetName("sandbox"),),
        )
    for repository in daemon.repositories:
        if name == repository.name or (name is None and len(daemon.repositories) == 1):
            return repository
    names = ", ".join(repository.name for repository in daemon.repositories)
    if name is None:
        raise typer.BadParameter(f"say which one it is: --repository {names}")
    raise TerminalError(
        f"no repository {name} in {daemon.path}; there are {names}", reason="NotFound"
    )


def _overlaps(folder: str, below: str) -> bool:
    """Whether an environment's folder is the asked one, below it or above it."""
    if below == ".":
        return True
    return f"{folder}/".startswith(f"{below}/") or f"{below}/".startswith(f"{folder}/")


def print_checked(found: list[Checked], path: Path) -> None:
    """Print the problems, a line each, or that there are none."""
    if not found:
        print(
            f"no environments in {path}: a folder that matches envs/* (or the config's"
            " patterns) and holds environment.yaml or workflow.yaml is one",
            file=sys.stderr,
        )
        return
    for checked in found:
        for problem in checked.problems:
            print(problem)
    bad = sum(bool(each.problems) for each in found)
    count = sum(len(each.problems) for each in found)
    names = ", ".join(each.name for each in found)
    if bad:
        print(
            f"{count} problem(s) in {bad} of {len(found)} environment(s)",
            file=sys.stderr,
        )
    else:
        print(f"{len(found)} environment(s) valid: {names}")


def as_json(checked: Checked) -> dict[str, Any]:
    """Return an environment and its problems as plain JSON."""
    return {
        "environment": checked.name,
        "folder": checked.folder,
        "valid": not checked.problems,
        "problems": [
            {"path": each.path, "line": each.line, "message": each.message}
            for each in checked.problems
        ],
    }


def _manifest_files(path: Path) -> list[File]:
    if path == STDIN:
        return [File(path="stdin", data=sys.stdin.buffer.read())]
    if not path.exists():
        raise typer.BadParameter(f"{path} does not exist", param_hint="--file")
    if path.is_file():
        return [File(path=str(path), data=path.read_bytes())]
    return [
        File(path=str(each), data=each.read_bytes())
        for each in sorted(path.rglob("*"))
        if each.suffix in _MANIFESTS and each.is_file() and not each.is_symlink()
    ]
