"""Reading the daemon config: what every command does first."""

from pathlib import Path

from gitops_wf.core.config import (
    DaemonConfig,
    RepositoryConfig,
    TargetConfig,
    TargetKind,
)
from gitops_wf.core.errors import DefinitionError, cut
from gitops_wf.core.identifiers import RepositoryName, TargetName
from gitops_wf.definitions.daemon import read_daemon_config

STORE_FILE = "gitops-wf.db"
SANDBOX_TARGET = TargetName("sandbox")
SANDBOX_HUB = TargetName("hub")


def load_config(path: Path) -> DaemonConfig:
    """Read a daemon config.

    Errors: DefinitionErrors, all problems of the file in one ExceptionGroup.
    """
    absolute = path.expanduser().absolute()
    try:
        data = absolute.read_bytes()
    except FileNotFoundError as error:
        raise DefinitionError(str(path), None, "there is no such file") from error
    except OSError as error:
        problem = cut(f"cannot be read: {error.strerror or error}")
        raise DefinitionError(str(path), None, problem) from error
    config = read_daemon_config(data, str(absolute), home=str(Path.home()))
    if isinstance(config, tuple):
        raise ExceptionGroup("the daemon config is not valid", list(config))
    return config


def sandbox_config(
    repository: Path, directory: Path, *, branch: str = "main"
) -> DaemonConfig:
    """Return the config of ``run --sandbox --repo PATH``: no file needed.

    ``directory`` keeps the store, the clone and the sandbox. Every target that an
    environment names is a namespace of the sandbox; without one it is ``default``. The
    hub is the sandbox, too.
    """
    name = RepositoryName(
        repository.resolve().name.removesuffix(".git") or "repository"
    )
    return DaemonConfig(
        path="",
        directory=str(directory),
        store=str(directory / STORE_FILE),
        instance="sandbox",
        repositories=(
            RepositoryConfig(
                name=name,
                url=str(repository.resolve()),
                branch=branch,
                targets=(SANDBOX_TARGET,),
            ),
        ),
        targets={
            SANDBOX_TARGET: TargetConfig(
                name=SANDBOX_TARGET,
                kind=TargetKind.SANDBOX,
            )
        },
        hub=SANDBOX_HUB,
        is_all_sandbox=True,
    )
