"""Whether an environment's files hold a cloud resource, told without rendering them.

Kustomizations bring the files that they and their bases name. What only a chart makes
is not seen: such an environment needs a workflow of its own.
"""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from gitops_wf.core.cloud import CloudRules
from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.inputs import is_ignored
from gitops_wf.definitions.problems import Problem
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.delivery.choosing import (
    CONTROL_STEMS,
    MANIFEST_SUFFIXES,
    RESERVED_FOLDERS,
)
from gitops_wf.ports.definitions import FolderSource
from gitops_wf.ports.manifests import Document


def first_cloud_resource(
    environment: Environment,
    source: FolderSource,
    bases: Iterable[str],
    rules: CloudRules,
) -> tuple[str, Document] | None:
    """Return the first cloud resource and its file; None where there is none.

    ``bases`` are paths outside the folder. A file that cannot be read is none: the
    delivery says what is wrong with it.
    """
    hints = rules.hints()
    if not hints:
        return None
    for path in (*_own(environment, source), *bases):
        if PurePosixPath(path).suffix not in MANIFEST_SUFFIXES:
            continue
        try:
            data = source.read(path)
            if data is None or not any(hint in data for hint in hints):
                continue
            documents = read_manifests(path, data)
        except DefinitionError:
            continue
        for document in documents:
            if rules.find(document.manifest) is not None:
                return path, document
    return None


def no_hub_for(held: tuple[str, Document]) -> Problem:
    """Return what is wrong with a cloud resource that has no hub to go to."""
    path, document = held
    manifest = document.manifest
    name = (manifest.get("metadata") or {}).get("name")
    return Problem(
        rule="no-hub",
        path=path,
        line=document.line,
        message=f"{manifest.get('kind')}/{name} is a cloud resource, which goes to the"
        " hub, and the daemon config names none: write `hub: NAME` there, the name of a"
        " target; or write a workflow.yaml whose deploy2env delivers it",
    )


def _own(environment: Environment, source: FolderSource) -> Iterator[str]:
    """Yield the folder's files that may be delivered, from the repository's root."""
    for path in sorted(source.paths):
        place = PurePosixPath(path)
        is_control = len(place.parts) == 1 and place.stem in CONTROL_STEMS
        if is_control or place.parts[0] in RESERVED_FOLDERS:
            continue
        if not is_ignored(path, environment.ignore):
            yield f"{source.folder}/{path}" if source.folder else path
