"""Names of things as distinct types, so that one is never passed for another."""

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


def environment_name(environment: EnvironmentId) -> EnvironmentName:
    """Return the name part of an environment's id."""
    return EnvironmentName(environment.partition("/")[2])


def repository_name(environment: EnvironmentId) -> RepositoryName:
    """Return the repository part of an environment's id."""
    return RepositoryName(environment.partition("/")[0])
