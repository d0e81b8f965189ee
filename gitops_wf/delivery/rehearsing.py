"""A cluster on which nothing is written: every write is a dry run, and is remembered.

What delivers does not know it from a real one, so that a plan is the delivery itself.
What an earlier write would have left is what a later read sees, for a dry run knows of
no other: an object in a namespace, or of a kind, that the same commit brings.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.delivery.fields import Owner, is_same, owners, without_share
from gitops_wf.delivery.selector import Selector
from gitops_wf.ports.cluster import (
    AllowList,
    ApiResource,
    Applied,
    ApplyConflictError,
    Cluster,
    ClusterRefusalError,
    Clusters,
    UnknownKindError,
)

_LABEL = re.compile(r"(?P<key>[^\s!=,()]+)=(?P<value>[^\s!=,()]+)")

_SINGLY = 4
"""So many values of a label are listed one by one: few environments of very many."""

_CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a write would leave of an object; None: it is not there.

    ``note`` says why the server could not be asked.
    """

    before: Manifest | None
    after: Manifest | None
    note: str = ""


@dataclass(slots=True)
class _Memory:
    """What was seen on the cluster, and what would have become of it."""

    seen: dict[ObjectRef, Manifest] = field(default_factory=dict)
    left: dict[ObjectRef, Left] = field(default_factory=dict)
    taken: dict[ObjectRef, frozenset[Owner]] = field(default_factory=dict)
    """Whose share of an object was taken over, by a replace of its managedFields."""
    unserved: set[tuple[str, str]] = field(default_factory=set)
    fresh: dict[tuple[str, str], dict[ObjectRef, None]] = field(default_factory=dict)
    """By kind, what a write made, or gave other labels: no list of the server's has
    it where it belongs now."""
    lists: dict[tuple[str, str, str, str], Sequence[Manifest]] = field(
        default_factory=dict
    )
    """What was listed, by kind, namespace and selector: it is asked for once."""
    values: dict[tuple[str, str, str, str], dict[str, list[Manifest]]] = field(
        default_factory=dict
    )
    """What has a label, by kind, namespace and label, and its value."""
    singly: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)


class RehearsedCluster:
    """The Cluster port over another; safe to use from many threads.

    It has no status: what is not written never gets healthy, and is not waited for.
    """

    has_status = False

    def __init__(self, real: Cluster) -> None:
        self._real = real
        self._memory = _Memory()
        self._lock = threading.Lock()

    @property
    def is_alive(self) -> bool:
        """Whether objects of the other one come alive."""
        return self._real.has_status

    def left(self, ref: ObjectRef) -> Left | None:
        """Return what the last write of an object would leave; None for no write."""
        return self._memory.left.get(ref)

    def seen(self, ref: ObjectRef) -> Manifest | None:
        """Return an object as it was last read; None where it was not."""
        return self._memory.seen.get(ref)

    def suppose(self, manifest: Manifest) -> None:
        """Take an object for there that whoever delivers makes beforehand."""
        ref = ObjectRef.of(manifest)
        resource = self._real.resource(str(manifest["apiVersion"]), ref.kind)
        if self.get(resource, ref.namespace, ref.name) is None:
            self._leave(ref, None, manifest)

    def resource(self, api_version: str, kind: str) -> ApiResource:
        """Return a kind, also one that a CustomResourceDefinition would bring."""
        if (api_version, kind) not in self._memory.unserved:
            try:
                return self._real.resource(api_version, kind)
            except UnknownKindError:
                coming = self._coming(api_version, kind)
                if coming is None:
                    raise
                self._memory.unserved.add((api_version, kind))
                return coming
        coming = self._coming(api_version, kind)
        assert coming is not None
        return coming

    def get(self, resource: ApiResource, namespace: str, name: str) -> Manifest | None:
        """Return an object as the writes before would have left it."""
        ref = ObjectRef(
            group=resource.group, kind=resource.kind, namespace=namespace, name=name
        )
        left = self._memory.left.get(ref)
        if left is not None:
            return left.after
        return self._asked(resource, ref)

    def list(
        self, resource: ApiResource, namespace: str = "", label_selector: str = ""
    ) -> Sequence[Manifest]:
        """Return objects as the writes before would have left them."""
        found: dict[ObjectRef, Manifest] = {}
        if (resource.api_version, resource.kind) not in self._memory.unserved:
            listed = self._listed(resource, namespace, label_selector)
            found = {ObjectRef.of(manifest): manifest for manifest in listed}
            with self._lock:
                self._memory.seen.update(found)
        selector = Selector.parse(label_selector)
        with self._lock:
            fresh = self._memory.fresh.get((resource.group, resource.kind), {})
            written = {
                ref: left
                for ref in (*found, *fresh)
                if (left := self._memory.left.get(ref)) is not None
            }
        for ref, left in written.items():
            if namespace and ref.namespace != namespace:
                continue
            found.pop(ref, None)
            if left.after is not None and selector.matches(_labels(left.after)):
                found[ref] = left.after
        return list(found.values())

    def _listed(
        self, resource: ApiResource, namespace: str, label_selector: str
    ) -> Sequence[Manifest]:
        """List once what is there; many values of one label by one list of all."""
        place = (resource.group, resource.kind, namespace)
        whole = (*place, label_selector)
        label = _LABEL.fullmatch(label_selector)
        if label is not None:
            key = (*place, label["key"])
            with self._lock:
                if whole not in self._memory.lists:
                    self._memory.singly[key] += 1
                is_one_of_many = self._memory.singly[key] > _SINGLY
                values = self._memory.values.get(key)
            if is_one_of_many:
                if values is None:
                    values = {}
                    for each in self._listed(resource, namespace, label["key"]):
                        values.setdefault(_labels(each)[label["key"]], []).append(each)
                    with self._lock:
                        self._memory.values[key] = values
                return values.get(label["value"], ())
        with self._lock:
            known = self._memory.lists.get(whole)
        if known is None:
            known = self._real.list(resource, namespace, label_selector)
            with self._lock:
                self._memory.lists[whole] = known
        return known

    def apply(
        self, manifest: Manifest, *, force: bool = False, dry_run: bool = False
    ) -> Applied:
        """Ask what an apply would leave; errors as the server's."""
        del dry_run  # it always is one
        ref = ObjectRef.of(manifest)
        resource = self.resource(str(manifest.get("apiVersion", "")), ref.kind)
        before = self._known(ref)
        if (resource.api_version, ref.kind) in self._memory.unserved:
            return self._supposed(ref, before, manifest, "its kind is new, too")
        if before is None and ref in self._memory.left:
            why = "it still has the one that is deleted before"
            return self._supposed(ref, before, manifest, why)
        taken = self._memory.taken.get(ref, frozenset())
        try:
            applied = self._real.apply(
                manifest, force=force or bool(taken), dry_run=True
            )
        except ClusterRefusalError as exc:
            why = self._why_early(ref, exc)
            if not why:
                raise
            return self._supposed(ref, before, manifest, why)
        if before is None and not applied.is_created:
            before = self._asked(resource, ref)
        after = without_share(applied.manifest, taken)
        # The answer has the resourceVersion of before, whatever it would change.
        is_new = before is None or not is_same(before, after)
        after = _versioned(after, before, is_new=is_new)
        self._leave(ref, before, after)
        return Applied(manifest=after, is_created=before is None)

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Ask whether an object could be made."""
        del dry_run
        ref = ObjectRef.of(manifest)
        try:
            made = self._real.create(manifest, dry_run=True)
        except ClusterRefusalError as exc:
            if not self._why_early(ref, exc):
                raise
            made = manifest
        self._leave(ref, None, _versioned(made, None, is_new=True))
        return made

    def replace(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Ask whether an object could be replaced; twice, it is only remembered."""
        del dry_run
        ref = ObjectRef.of(manifest)
        resource = self.resource(str(manifest.get("apiVersion", "")), ref.kind)
        before = self.get(resource, ref.namespace, ref.name)
        if ref not in self._memory.left:
            self._real.replace(manifest, dry_run=True)
        taken = owners(before or {}) - owners(manifest)
        with self._lock:
            self._memory.taken[ref] = self._memory.taken.get(ref, frozenset()) | taken
        after = _versioned(manifest, before, is_new=True)
        self._leave(ref, before, after)
        return after

    def delete(
        self,
        ref: ObjectRef,
        version: str,
        *,
        uid: str = "",
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        """Ask whether an object could be deleted; from then on it is not there."""
        del dry_run
        left = self._memory.left.get(ref)
        before = self._known(ref)
        is_there = before is not None
        if left is None or left.before is not None:
            is_there = self._real.delete(
                ref, version, uid=uid, propagation=propagation, dry_run=True
            )
        self._leave(ref, before, None)
        return is_there

    def logs(
        self, namespace: str, pod: str, *, container: str = "", tail: int = 50
    ) -> str:
        """Return the last lines of a pod's log."""
        return self._real.logs(namespace, pod, container=container, tail=tail)

    def _known(self, ref: ObjectRef) -> Manifest | None:
        """Return an object as it would be by now, as far as that was asked."""
        left = self._memory.left.get(ref)
        return left.after if left is not None else self._memory.seen.get(ref)

    def _asked(self, resource: ApiResource, ref: ObjectRef) -> Manifest | None:
        """Return an object as it is; what was read before is not read again."""
        known = self._memory.seen.get(ref)
        if known is not None and known.get("apiVersion") == resource.api_version:
            return known
        if (resource.api_version, resource.kind) in self._memory.unserved:
            return None
        found = self._real.get(resource, ref.namespace, ref.name)
        if found is not None:
            with self._lock:
                self._memory.seen[ref] = found
        return found

    def _coming(self, api_version: str, kind: str) -> ApiResource | None:
        """Return a kind that is only served once a definition was applied."""
        for definition in self._definitions(api_version.rpartition("/")[0], kind):
            spec: Any = definition["spec"]
            version = api_version.rpartition("/")[2]
            if any(each.get("name") == version for each in spec["versions"]):
                return ApiResource(
                    group=str(spec["group"]),
                    version=version,
                    kind=kind,
                    plural=str(spec["names"]["plural"]),
                    is_namespaced=spec.get("scope") == "Namespaced",
                )
        return None

    def _definitions(self, group: str, kind: str) -> Iterator[Manifest]:
        """Yield what an apply would have left that defines a kind."""
        with self._lock:
            written = dict(self._memory.left)
        for ref, left in written.items():
            if (ref.group, ref.kind) != _CRD or left.after is None:
                continue
            spec: Any = left.after.get("spec") or {}
            names = spec.get("names") or {}
            if (spec.get("group"), names.get("kind")) == (group, kind):
                yield left.after

    def _why_early(self, ref: ObjectRef, exc: ClusterRefusalError) -> str:
        """Say why the server may only refuse because it was asked too early."""
        place = ObjectRef(group="", kind="Namespace", namespace="", name=ref.namespace)
        left = self._memory.left.get(place)
        is_made = left is not None and left.before is None and left.after is not None
        if exc.reason == "NamespaceNotFound" and is_made:
            return "its namespace is new, too"
        if not isinstance(exc, ApplyConflictError) and any(
            self._definitions(ref.group, ref.kind)
        ):
            return "its CustomResourceDefinition changes, too"
        return ""

    def _supposed(
        self, ref: ObjectRef, before: Manifest | None, manifest: Manifest, why: str
    ) -> Applied:
        """Take an object for applied as it is written; the server cannot be asked."""
        note = f"not checked by the server: {why}"
        after = _versioned(manifest, before, is_new=before != manifest)
        self._leave(ref, before, after, note)
        return Applied(manifest=after, is_created=before is None)

    def _leave(
        self,
        ref: ObjectRef,
        before: Manifest | None,
        after: Manifest | None,
        note: str = "",
    ) -> None:
        with self._lock:
            first = self._memory.left.get(ref)
            # Several writes of one object are one change: from what was there first.
            origin = before if first is None else first.before
            self._memory.left[ref] = Left(before=origin, after=after, note=note)
            if after is not None and (
                origin is None or _labels(origin) != _labels(after)
            ):
                self._memory.fresh.setdefault((ref.group, ref.kind), {})[ref] = None


class RehearsedClusters:
    """The Clusters port over another, each cluster of it rehearsed.

    Targets on one cluster share what is remembered of it. ``supposed`` are the targets
    whose namespace is made, where it is missing, by whoever delivers.
    """

    def __init__(
        self,
        real: Clusters,
        supposed: Callable[[TargetName], bool] = lambda _: False,
    ) -> None:
        self._real = real
        self._supposed = supposed
        self._lock = threading.Lock()
        self._rehearsed: dict[int, RehearsedCluster] = {}
        self._kept: list[Cluster] = []

    def cluster(
        self, target: TargetName, environment: EnvironmentId
    ) -> RehearsedCluster:
        """Return a target's cluster; errors as the other's."""
        real = self._real.cluster(target, environment)
        with self._lock:
            found = self._rehearsed.get(id(real))
            if found is None:
                found = self._rehearsed[id(real)] = RehearsedCluster(real)
                self._kept.append(real)  # so that its id stays its own
        if self._supposed(target):
            metadata = {"name": self._real.namespace(target)}
            found.suppose(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
            )
        return found

    def namespace(self, target: TargetName) -> str:
        """Return the namespace for objects that name none."""
        return self._real.namespace(target)

    def allowed(self, target: TargetName) -> AllowList:
        """Return what may be written there."""
        return self._real.allowed(target)


def _labels(manifest: Manifest) -> Mapping[str, str]:
    labels: Mapping[str, str] = (manifest.get("metadata") or {}).get("labels") or {}
    return labels


def _versioned(
    manifest: Manifest, before: Manifest | None, *, is_new: bool
) -> Manifest:
    """Return an object with the resourceVersion of before, or with another."""
    version = str(((before or {}).get("metadata") or {}).get("resourceVersion", ""))
    metadata = {
        **(manifest.get("metadata") or {}),
        "resourceVersion": f"{version}+" if is_new else version,
    }
    return {**manifest, "metadata": metadata}
