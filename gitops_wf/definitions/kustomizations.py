"""What the kustomizations of a folder refer to outside it: inputs like the folder.

Only what stands in the repository: kustomize would fetch a remote base at each build,
another one each time, and a revision is to be what its commit says.
https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from gitops_wf.core.errors import DefinitionError
from gitops_wf.definitions.environment_rules import resolved
from gitops_wf.definitions.problems import Problem
from gitops_wf.definitions.yaml_text import YamlMap, read_documents
from gitops_wf.ports.content import KUSTOMIZATIONS

_FOLDERS_OR_FILES = (
    "resources", "bases", "components", "crds", "configurations", "generators",
    "transformers", "validators",
)  # fmt: skip
"""Fields that are lists of paths; a folder among them holds a kustomization again."""

_REMOTE = re.compile(
    r"[a-z][a-z0-9+.-]*://|git@|(github|gitlab|bitbucket)\.(com|org)[/:]|.*\?ref="
)
_MOST = 200
"""How many kustomizations one environment may be made of."""

Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Bases:
    """What a folder's kustomizations need of what lies outside it.

    ``paths`` are those that make it an input, ``files`` all that are named, folders
    among them.
    """

    paths: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def bases_of(
    folder: str, files: Iterable[str], read: Read
) -> tuple[Bases, list[Problem]]:
    """Return what a folder's kustomizations need outside it, and problems.

    ``files`` are the folder's, relative to it; paths are from the repository's root.
    """
    waiting = sorted(
        posixpath.normpath(posixpath.join(folder, path)).rpartition("/")[0]
        for path in files
        if PurePosixPath(path).name in KUSTOMIZATIONS
    )
    seen: set[str] = set()
    found: dict[str, None] = {}
    problems: list[Problem] = []
    read_so_far = 0
    while waiting:
        place = waiting.pop(0)
        if place in seen:
            continue
        seen.add(place)
        document = _kustomization(place, read, problems)
        if document is None:
            continue
        path, fields = document
        read_so_far += 1
        if read_so_far > _MOST:
            problems.append(_too_many(path))
            break
        for field, number, text in _references(fields):
            line = _line(fields, field, number)
            target = resolved(place, text)
            if _REMOTE.match(text):
                problems.append(_remote(path, line, text))
            elif target is None:
                problems.append(_escapes(path, line, text))
            elif not _is_below(target, folder):
                # What lies inside waits already, if it is a kustomization.
                found[target] = None
                waiting.append(target)
    # What stands below another of them is one with it.
    outside = [
        path
        for path in found
        if not any(path != other and _is_below(path, other) for other in found)
    ]
    return Bases(paths=tuple(sorted(outside)), files=tuple(found)), problems


def _kustomization(
    place: str, read: Read, problems: list[Problem]
) -> tuple[str, YamlMap] | None:
    """Read the kustomization of a folder; None where there is none, or it is wrong.

    What is wrong with one is kustomize's to tell, but for what cannot be read at all.
    """
    for name in KUSTOMIZATIONS:
        path = f"{place}/{name}" if place else name
        try:
            data = read(path)
            documents = read_documents(data, path) if data is not None else []
        except DefinitionError as exc:
            problems.append(
                Problem(rule="yaml", path=exc.path, line=exc.line, message=exc.message)
            )
            return None
        if documents and isinstance(documents[0].value, YamlMap):
            return path, documents[0].value
    return None


def _references(fields: YamlMap) -> Iterator[tuple[str, int, str]]:
    """Yield field, position and text of each path that may lead to another folder."""
    for field in _FOLDERS_OR_FILES:
        values: Any = fields.get(field)
        for number, value in enumerate(values if isinstance(values, list) else ()):
            # Some fields take whole objects in the place of a path.
            if isinstance(value, str) and value and "\n" not in value:
                yield field, number, value


def _line(fields: YamlMap, field: str, number: int) -> int:
    lines = getattr(fields[field], "lines", ())
    return int(lines[number]) if number < len(lines) else fields.lines[field]


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _too_many(path: str) -> Problem:
    return Problem(
        rule="too-many-bases",
        path=path,
        line=None,
        message=f"the environment is made of more than {_MOST} kustomizations: "
        "split it",
    )


def _remote(path: str, line: int, text: str) -> Problem:
    return Problem(
        rule="remote-base",
        path=path,
        line=line,
        message=f"`{text}` is not in this repository, and nothing is fetched at a "
        "release: copy it into the repository and refer to it by its path",
    )


def _escapes(path: str, line: int, text: str) -> Problem:
    return Problem(
        rule="base-outside",
        path=path,
        line=line,
        message=f"`{text}` leads out of the repository: refer to what is in it",
    )
