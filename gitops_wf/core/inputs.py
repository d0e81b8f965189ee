"""What an environment is made of at a commit, and the digest that tells it apart.

Inputs are the folder's tree without decisions and README-like files, the watched
paths, and what the daemon config adds by default (design 3.1). Compared by Git
object ids, so nothing is read to know that nothing changed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from gitops_wf.core.commit import TreeEntry
from gitops_wf.core.identifiers import Oid, TargetName

APPROVALS = "approvals.yaml"
APPROVALS_FOLDER = "approvals/"
ENVIRONMENT = "environment.yaml"
WORKFLOW = "workflow.yaml"


def is_decision_path(path: str) -> bool:
    """Whether a path, relative to its environment's folder, holds decisions."""
    return path == APPROVALS or (
        path.startswith(APPROVALS_FOLDER)
        and path.endswith(".yaml")
        and "/" not in path[len(APPROVALS_FOLDER) :]
    )


def decides_somewhere(path: str) -> bool:
    """Whether a path would hold decisions, were it of an environment's folder."""
    parts = path.split("/")
    return is_decision_path(parts[-1]) or is_decision_path("/".join(parts[-2:]))


def is_ignored(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path is none of the inputs: its name or itself matches a pattern."""
    name = path.rpartition("/")[2]
    return any(fnmatchcase(name, p) or fnmatchcase(path, p) for p in patterns)


def inputs_digest(
    entries: Iterable[TreeEntry],
    *,
    ignore: Sequence[str],
    watched: Iterable[tuple[str, Oid | None]],
    targets: Sequence[TargetName],
    given: Mapping[TargetName, Mapping[str, str]],
) -> str:
    """Return the digest of an environment's inputs, as hex of SHA-256.

    ``entries`` are the folder's, paths relative to it, so that a moved folder is
    the same environment. ``targets`` are those of the daemon config, where the
    environment names none of its own. ``given`` are the daemon config's values of
    variables that the environment can see (`Substitute.given`).
    """
    lines = [
        f"file {entry.mode:o} {entry.oid} {entry.path}"
        for entry in entries
        if not is_decision_path(entry.path) and not is_ignored(entry.path, ignore)
    ]
    lines += [f"watch {oid or '-'} {path}" for path, oid in sorted(watched)]
    lines += [f"target {target}" for target in targets]
    lines += [
        f"value {json.dumps([target, name, value])}"
        for target, values in sorted(given.items())
        for name, value in sorted(values.items())
    ]
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()
