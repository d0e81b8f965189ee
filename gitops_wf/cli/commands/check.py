"""`validate`, `schema` and `health`: what files say, before anything runs."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from gitops_wf.cli.options import NoHeaderOption, Output, OutputOption
from gitops_wf.cli.place import FOLDER
from gitops_wf.cli.printing import print_json, print_value
from gitops_wf.cli.table import Table, print_table
from gitops_wf.core.config import DaemonConfig, RepositoryConfig
from gitops_wf.core.errors import DefinitionError, TerminalError
from gitops_wf.core.health import Health
from gitops_wf.core.identifiers import RepositoryName, TargetName
from gitops_wf.ports.content import File
from gitops_wf.services.health_files import HealthRow, health_of_files
from gitops_wf.services.validate import Checked, FileTree, Validate
from gitops_wf.services.watched import MAX_FILE_BYTES

_MANIFESTS = {".yaml", ".yml", ".json"}


def validate(
    path: Annotated[
        Path, typer.Argument(help="A work tree, or a folder in it.", exists=True)
    ] = Path(),
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="Check the names of targets, channels and secrets against this, too.",
        ),
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which of the config's repositories it is."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check every environment of a work tree, as the daemon would read it.

    Each problem is a line `path:line: what, and what would be right`; exit code 1.
    """
    from gitops_wf.bootstrap.configs import load_config
    from gitops_wf.bootstrap.files import definition_reader
    from gitops_wf.definitions.yaml_text import read_manifests

    daemon = load_config(config) if config is not None else None
    top = _top(path.resolve())
    checked = Validate(
        repository=_repository(daemon, repository, top),
        definitions=definition_reader(daemon),
        manifests=read_manifests,
    ).check(file_tree(top))
    below = path.resolve().relative_to(top).as_posix()
    found = [each for each in checked if _overlaps(each.folder, below)]
    if output is not Output.TABLE:
        print_value([_as_json(each) for each in found], output)
    else:
        _print_checked(found, top)
    if not found or any(each.problems for each in found):
        raise typer.Exit(1)


def schema(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="One of environment, workflow, approvals, config."
        ),
    ],
) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    from gitops_wf.bootstrap.files import step_catalogue
    from gitops_wf.definitions.schemas import KINDS, schema_for

    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r}: there are {', '.join(KINDS)}")
    print_json(schema_for(kind, step_catalogue()))


def health(
    file: Annotated[
        Path,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE|DIR",
            help="Manifests with status.",
            exists=True,
        ),
    ],
    output: OutputOption = Output.TABLE,
    no_header: NoHeaderOption = False,
) -> None:
    """Say how the objects in files are, as the daemon would judge them.

    A row for each object; exit code 1 when one is Failed.
    """
    from gitops_wf.definitions.yaml_text import read_manifests

    rows = health_of_files(_manifest_files(file), read_manifests)
    if output is not Output.TABLE:
        print_value([_health_json(row) for row in rows], output)
    elif rows:
        print_table(
            Table(
                headers=("SOURCE", "OBJECT", "STATUS", "MESSAGE"),
                rows=[
                    (row.source, row.object, str(row.status), row.message)
                    for row in rows
                ],
            ),
            header=not no_header,
        )
    else:
        print(f"no objects in {file}", file=sys.stderr)
    if any(row.status is Health.FAILED for row in rows):
        raise typer.Exit(1)


def file_tree(top: Path) -> FileTree:
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


def _print_checked(found: list[Checked], top: Path) -> None:
    if not found:
        print(
            f"no environments in {top}: a folder that matches envs/* (or the config's"
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


def _as_json(checked: Checked) -> dict[str, Any]:
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
    if path.is_file():
        return [File(path=str(path), data=path.read_bytes())]
    return [
        File(path=str(each), data=each.read_bytes())
        for each in sorted(path.rglob("*"))
        if each.suffix in _MANIFESTS and each.is_file() and not each.is_symlink()
    ]


def _health_json(row: HealthRow) -> dict[str, str]:
    return {
        "source": row.source,
        "object": row.object,
        "status": str(row.status),
        "message": row.message,
    }
