"""Names of things as distinct types, so that one is never passed for another."""

from collections.abc import Collection
from typing import NewType

Sha = NewType("Sha", str)
"""Full id of a commit: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits."""

Oid = NewType("Oid", str)
"""Full id of any Git object (blob, tree, commit), in the same form."""

RepositoryName = NewType("RepositoryName", str)
EnvironmentName = NewType("EnvironmentName", str)
"""An environment's name within its repository, such as ``prod`` or ``shop/prod``."""

EnvironmentId = NewType("EnvironmentId", str)
"""``<repository>/<environment name>``: unique in one daemon."""

TargetName = NewType("TargetName", str)
StepName = NewType("StepName", str)
RunId = NewType("RunId", str)
"""``<environment id>#<revision number>.<run ordinal>``."""


def environment_id(repository: RepositoryName, name: EnvironmentName) -> EnvironmentId:
    """Return the id of an environment; a repository's name holds no slash."""
    return EnvironmentId(f"{repository}/{name}")


def meant_environment(
    written: str,
    repository: RepositoryName,
    *,
    own: Collection[str] | None,
    others: Collection[str] | None,
) -> EnvironmentId | None:
    """Return the environment that a file of a repository names; None: there is none.

    One of its ``own`` environments comes first, for their names may hold slashes; else
    it is ``<repository>/<name>``, of one of the ``others`` that are watched, or of its
    own. What is None is not known, and nothing is missed in it.
    """
    other, _, name = written.partition("/")
    if own is not None and written in own:
        return environment_id(repository, EnvironmentName(written))
    if name and other == repository and (own is None or name in own):
        return environment_id(repository, EnvironmentName(name))
    if name and other != repository and others is not None and other in others:
        return environment_id(RepositoryName(other), EnvironmentName(name))
    if own is None:
        return environment_id(repository, EnvironmentName(written))
    return None


def environment_name(environment: EnvironmentId) -> EnvironmentName:
    """Return the name part of an environment's id."""
    return EnvironmentName(environment.partition("/")[2])


def repository_name(environment: EnvironmentId) -> RepositoryName:
    """Return the repository part of an environment's id."""
    return RepositoryName(environment.partition("/")[0])
