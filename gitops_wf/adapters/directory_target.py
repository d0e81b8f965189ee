"""A target that is a folder: rendered manifests as files, for other tools to take.

It keeps what a server would keep of an object, and nothing more: no defaults, no
admission, no status. One file per object, ``NAMESPACE/KIND.GROUP-NAME.yaml``; what
is cluster-wide stands in ``_cluster``.
"""

import os
import re
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from gitops_wf.core.errors import cut
from gitops_wf.core.impersonation import Identity
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.ports.cluster import (
    ApiResource,
    Applied,
    ClusterRefusalError,
    ClusterUnavailableError,
    ResourceConflictError,
)

CLUSTER_WIDE = "_cluster"
_CLUSTER_KINDS = frozenset(
    {
        "Namespace",
        "Node",
        "PersistentVolume",
        "CustomResourceDefinition",
        "ClusterRole",
        "ClusterRoleBinding",
        "StorageClass",
        "VolumeSnapshotClass",
        "PriorityClass",
        "RuntimeClass",
        "IngressClass",
        "GatewayClass",
        "ClusterIssuer",
        "APIService",
        "CSIDriver",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "CertificateSigningRequest",
        "FlowSchema",
        "PriorityLevelConfiguration",
    }
)
"""A folder has no discovery; a kind that is not here is taken for namespaced."""

_SAFE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?")


class DirectoryCluster:
    """The Cluster port over a folder."""

    has_status = False

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()

    def impersonating(self, _identity: Identity, /) -> Self:
        """Return it: a folder knows no users, and its config may name none."""
        return self

    def resource(self, api_version: str, kind: str) -> ApiResource:
        """Return a kind; every kind is served."""
        group, _, version = api_version.rpartition("/")
        return ApiResource(
            group=group,
            version=version,
            kind=kind,
            plural=f"{kind.lower()}s",
            is_namespaced=kind not in _CLUSTER_KINDS,
        )

    def get(self, resource: ApiResource, namespace: str, name: str) -> Manifest | None:
        """Return an object, or None."""
        ref = ObjectRef(
            group=resource.group, kind=resource.kind, namespace=namespace, name=name
        )
        return self._read(self._path(ref))

    def list(
        self, resource: ApiResource, namespace: str = "", label_selector: str = ""
    ) -> Sequence[Manifest]:
        """Return the objects of a kind; selectors are ``key`` and ``key=value``."""
        folder = _folder(namespace) if namespace or not resource.is_namespaced else "*"
        pattern = f"{folder}/{_stem(resource.group, resource.kind)}-*.yaml"
        found = (self._read(path) for path in sorted(self._root.glob(pattern)))
        return [
            manifest
            for manifest in found
            if manifest is not None
            and manifest.get("kind") == resource.kind
            and _is_selected(manifest, label_selector)
        ]

    def apply(
        self, manifest: Manifest, *, force: bool = False, dry_run: bool = False
    ) -> Applied:
        """Write the file, whoever wrote it before; the version grows with a change."""
        del force  # a file has no other managers
        with self._lock:
            path = self._path(ObjectRef.of(manifest))
            old = self._read(path)
            wanted = _stored(manifest, old)
            if old is not None and _plain(old) == _plain(wanted):
                return Applied(manifest=old, is_created=False)
            if not dry_run:
                self._write(path, wanted)
            return Applied(manifest=wanted, is_created=old is None)

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Write a new file; ResourceConflictError where one is there."""
        with self._lock:
            ref = ObjectRef.of(manifest)
            if self._read(self._path(ref)) is not None:
                raise ResourceConflictError(f"{ref}: is there already")
            stored = _stored(manifest, None)
            if not dry_run:
                self._write(self._path(ref), stored)
            return stored

    def replace(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Replace a file; ResourceConflictError by its resourceVersion."""
        with self._lock:
            ref = ObjectRef.of(manifest)
            old = self._read(self._path(ref))
            version = manifest["metadata"].get("resourceVersion")
            if old is None or version not in {
                None,
                old["metadata"].get("resourceVersion"),
            }:
                raise ResourceConflictError(f"{ref}: was changed meanwhile")
            stored = _stored(manifest, old)
            if not dry_run:
                self._write(self._path(ref), stored)
            return stored

    def delete(
        self,
        ref: ObjectRef,
        version: str,
        *,
        uid: str = "",
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        """Remove the file; False where it was not there."""
        del version, propagation
        with self._lock:
            path = self._path(ref)
            old = self._read(path)
            if old is None:
                return False
            if uid and old["metadata"].get("uid") != uid:
                raise ResourceConflictError(f"{ref}: is another object by now")
            if not dry_run:
                path.unlink()
            return True

    def logs(
        self, namespace: str, pod: str, *, container: str = "", tail: int = 50
    ) -> str:
        """Return nothing: files do not run."""
        del namespace, pod, container, tail
        return ""

    def _path(self, ref: ObjectRef) -> Path:
        name = f"{_stem(ref.group, ref.kind)}-{_safe(ref.name)}.yaml"
        return self._root / _folder(ref.namespace) / name

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise ClusterUnavailableError(f"{path}: {exc.strerror}") from exc
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as exc:
            raise ClusterRefusalError(
                f"{path}: is no YAML any more", reason="Invalid", status=422
            ) from exc
        return value if isinstance(value, dict) and "metadata" in value else None

    def _write(self, path: Path, manifest: Manifest) -> None:
        """Write whole or not at all; a Secret is for its owner's eyes only."""
        text = yaml.safe_dump(dict(manifest), sort_keys=False, allow_unicode=True)
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        mode = 0o600 if manifest.get("kind") == "Secret" else 0o644
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            draft.replace(path)
        except OSError as exc:
            raise ClusterUnavailableError(f"{path}: {exc.strerror}") from exc


def _stored(manifest: Manifest, old: Manifest | None) -> dict[str, Any]:
    """Return an object with the identity and version that a server would give it."""
    before: Mapping[str, Any] = (old or {}).get("metadata") or {}
    metadata = {
        **manifest["metadata"],
        "uid": before.get("uid") or str(uuid.uuid4()),
        "resourceVersion": str(int(before.get("resourceVersion") or 0) + 1),
    }
    return {**manifest, "metadata": metadata}


def _plain(manifest: Manifest) -> dict[str, Any]:
    metadata = {
        key: value
        for key, value in manifest["metadata"].items()
        if key not in {"uid", "resourceVersion"}
    }
    return {**manifest, "metadata": metadata}


def _is_selected(manifest: Manifest, selector: str) -> bool:
    labels = manifest["metadata"].get("labels") or {}
    return all(
        key in labels and (not equals or labels[key] == value)
        for key, equals, value in _terms(selector)
    )


def _terms(selector: str) -> Iterator[tuple[str, str, str]]:
    for term in filter(None, selector.split(",")):
        yield term.partition("=")


def _folder(namespace: str) -> str:
    return _safe(namespace) if namespace else CLUSTER_WIDE


def _stem(group: str, kind: str) -> str:
    stem = _safe(kind).lower()
    return f"{stem}.{_safe(group)}" if group else stem


def _safe(text: str) -> str:
    """Return a name that can be part of a file's name, and of nothing else."""
    if not _SAFE.fullmatch(text):
        raise ClusterRefusalError(
            f"{cut(repr(text), 64)} is no name of an object",
            reason="Invalid",
            status=422,
        )
    return text
