"""A folder of an environment, and what the daemon config around it has."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import gitops_wf.steps
from gitops_wf.bootstrap.cloud import cloud_rules
from gitops_wf.core.grants import SecretGrant
from gitops_wf.core.identifiers import EnvironmentName, RepositoryName, TargetName
from gitops_wf.definitions.facts import Known
from gitops_wf.definitions.reader import DefinitionReader
from gitops_wf.ports.definitions import Definition, FolderSource
from gitops_wf.ports.runner import StepCatalogue, StepType

FOLDER = "envs/prod"
KNOWN = Known(
    targets=frozenset({"eu", "us", "test"}),
    channels=frozenset({"ops", "dev"}),
    secrets={
        "token": SecretGrant(name="token", environments=("shop/prod",)),
        "other": SecretGrant(name="other", environments=("shop/dev",)),
    },
    groups={"release": ("ann@example.com", "bob@example.com")},
    push={},
    cloud=cloud_rules(),
)
ENVIRONMENT = b"""\
apiVersion: gitops-wf.io/v1alpha1
kind: Environment
targets: [eu, us]
"""
WORKFLOW = b"""\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: deploy, type: deploy2env}
"""
FILES = {
    "environment.yaml": ENVIRONMENT,
    "workflow.yaml": WORKFLOW,
    "jobs/seed.yaml": b"kind: Job\n",
    "web.yaml": b"kind: Deployment\n",
}


class AllSteps:
    """The step types of this distribution, found in its package."""

    def __init__(self) -> None:
        modules = pkgutil.iter_modules(gitops_wf.steps.__path__)
        found = [
            importlib.import_module(f"gitops_wf.steps.{module.name}")
            for module in modules
        ]
        types = [module.STEP_TYPE for module in found if hasattr(module, "STEP_TYPE")]
        self._types = {step.name: step for step in types}
        self._aliases = {alias: step for step in types for alias in step.aliases}

    def get(self, name: str) -> StepType | None:
        return self._types.get(name) or self._aliases.get(name)

    def names(self) -> tuple[str, ...]:
        offered = (step for step in self._types.values() if not step.is_added)
        return tuple(sorted(step.name for step in offered))


CATALOGUE = AllSteps()


def read(
    files: dict[str, bytes | None],
    *,
    elsewhere: dict[str, bytes] | None = None,
    folder: str = FOLDER,
    known: Known = KNOWN,
    targets: tuple[str, ...] = (),
) -> Definition:
    """Read a folder's files, by their path in it; None leaves one of FILES out."""
    inside = {
        path: data for path, data in {**FILES, **files}.items() if data is not None
    }
    everything = {
        f"{folder}/{path}" if folder else path: d for path, d in inside.items()
    }
    everything |= elsewhere or {}
    source = FolderSource(
        repository=RepositoryName("shop"),
        folder=folder,
        name=EnvironmentName("prod"),
        paths=tuple(inside),
        read=everything.get,
        targets=tuple(map(TargetName, targets)),
        environments=frozenset(map(EnvironmentName, ("prod", "staging"))),
    )
    return DefinitionReader(CATALOGUE, known).read(source)


def read_environment(
    files: Mapping[str, bytes],
    *,
    folder: str,
    name: str,
    catalogue: StepCatalogue,
    known: Known | None = None,
    **more: Any,
) -> Definition:
    """Read an environment of files by their paths from the repository's root.

    `more` are further fields of `FolderSource`.
    """
    prefix = f"{folder}/" if folder else ""
    source = FolderSource(
        **{"repository": "repository", **more},
        folder=folder,
        name=EnvironmentName(name),
        paths=tuple(path[len(prefix) :] for path in files if path.startswith(prefix)),
        read=files.get,
    )
    return DefinitionReader(catalogue, known).read(source)
