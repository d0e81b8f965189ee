"""The resources that the sandbox serves, built in and custom, and their names."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources as package_files
from typing import Any

# Two resources that are two views of one stored collection.
_COLLECTIONS = {("events.k8s.io", "events"): "events"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A printer column of a custom resource; `path` is its JSONPath."""

    name: str
    type: str
    format: str
    description: str
    priority: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePaths:
    """Where the scale subresource of an object finds its values, as `.spec.replicas`.

    An empty `selector` names no field of text: the object has a LabelSelector.
    """

    wanted: str = ".spec.replicas"
    actual: str = ".status.replicas"
    selector: str = ""


DEFAULT_SCALE = ScalePaths()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource in one version, as discovery describes it."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    custom: bool = False
    list_kind: str = ""
    columns: tuple[Column, ...] = ()
    scale: ScalePaths = DEFAULT_SCALE
    discovery: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def api_version(self) -> str:
        """`group/version`, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`deployments.apps`, as most error texts name a resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """`Deployment.apps`, as a 422 names an object."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def collection(self) -> str:
        """The name of the stored collection; versions of a resource share it."""
        return _COLLECTIONS.get((self.group, self.plural), self.qualified)

    @property
    def kind_of_list(self) -> str:
        """`DeploymentList`."""
        return self.list_kind or f"{self.kind}List"


@dataclass(frozen=True, slots=True)
class Group:
    """An API group with its versions in order of preference."""

    name: str
    versions: tuple[str, ...]


def discovery_data() -> Any:
    """The shipped description of the built-in groups."""
    path = package_files.files("gitops_wf.sandbox") / "data" / "discovery.json.gz"
    return json.loads(gzip.decompress(path.read_bytes()))


def _from_discovery(group: str, version: str, entry: Mapping[str, Any]) -> Resource:
    return Resource(
        group=group,
        version=version,
        plural=entry["resource"],
        singular=entry["singularResource"],
        kind=entry["responseKind"]["kind"],
        namespaced=entry["scope"] == "Namespaced",
        verbs=tuple(entry["verbs"]),
        short_names=tuple(entry.get("shortNames", ())),
        subresources=tuple(sub["subresource"] for sub in entry.get("subresources", ())),
        categories=tuple(entry.get("categories", ())),
        discovery=entry,
    )


class ResourceTable:
    """What is served now; custom resources come and go, so reads are locked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._groups: dict[str, tuple[str, ...]] = {}
        self._built_in: frozenset[str] = frozenset()
        for entry in discovery_data()["groups"]:
            group = entry["name"]
            self._groups[group] = tuple(one["version"] for one in entry["versions"])
            for version in entry["versions"]:
                for described in version["resources"]:
                    resource = _from_discovery(group, version["version"], described)
                    key = (group, resource.version, resource.plural)
                    self._resources[key] = resource
        self._built_in = frozenset(self._groups)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource at a path, or None."""
        with self._lock:
            return self._resources.get((group, version, plural))

    def named(self, qualified: str) -> Resource:
        """The preferred version of `deployments.apps`, or of `pods`."""
        plural, _, group = qualified.partition(".")
        with self._lock:
            for version in self._groups.get(group, ()):
                found = self._resources.get((group, version, plural))
                if found is not None:
                    return found
        raise KeyError(qualified)

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource whose objects have this apiVersion and kind."""
        group, _, version = api_version.rpartition("/")
        with self._lock:
            for (one, two, _), resource in self._resources.items():
                if one == group and two == version and resource.kind == kind:
                    return resource
        return None

    def other_versions(self, resource: Resource) -> list[Resource]:
        """The same resource in the other versions that are served."""
        with self._lock:
            return [
                one
                for (group, _, plural), one in self._resources.items()
                if (group, plural) == (resource.group, resource.plural)
                and one.version != resource.version
            ]

    def of_collection(self, collection: str) -> Resource | None:
        """The preferred resource of a stored collection."""
        with self._lock:
            for resource in self._resources.values():
                if resource.qualified == collection:
                    return resource
        return None

    def groups(self) -> list[Group]:
        """All groups in discovery order; the core group has the name ''."""
        with self._lock:
            return [Group(name, versions) for name, versions in self._groups.items()]

    def of_version(self, group: str, version: str) -> list[Resource]:
        """The resources of one group version, in discovery order."""
        return [one for one in self if one.group == group and one.version == version]

    def __iter__(self) -> Iterator[Resource]:
        with self._lock:
            return iter(list(self._resources.values()))

    def set_custom(self, group: str, plural: str, served: list[Resource]) -> None:
        """Replace what is served of one custom resource; none takes it away."""
        with self._lock:
            for key in [
                key
                for key, one in self._resources.items()
                if key[0] == group and key[2] == plural and one.custom
            ]:
                del self._resources[key]
            for resource in served:
                self._resources[group, resource.version, plural] = resource
            if group not in self._built_in:
                versions = dict.fromkeys(
                    version for one, version, _ in self._resources if one == group
                )
                if versions:
                    self._groups[group] = tuple(sorted(versions, key=_version_rank))
                else:
                    self._groups.pop(group, None)


def _version_rank(version: str) -> tuple[int, int, int, str]:
    """Order of preference of versions: v2, v1, v1beta2, v1beta1, v1alpha1, others."""
    body = version.removeprefix("v")
    for stage, rank in (("beta", 1), ("alpha", 2)):
        if stage in body:
            major, _, minor = body.partition(stage)
            if major.isdigit():
                number = int(minor) if minor.isdigit() else 0
                return (rank, -int(major), -number, version)
    if version.startswith("v") and body.isdigit():
        return (0, -int(body), 0, version)
    return (3, 0, 0, version)
