"""Files become the objects that an environment wants on a target.

Plain YAML and JSON only; every mistake is told with its file and line.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitops_wf.core.errors import DefinitionError, cut
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.core.substitution import Variables
from gitops_wf.delivery.allowing import refusal
from gitops_wf.delivery.choosing import Part
from gitops_wf.delivery.marks import PLAIN, Marks, marks_of
from gitops_wf.delivery.names import ARGO_HOOK, HELM_HOOK
from gitops_wf.ports.cluster import AllowList, UnknownKindError
from gitops_wf.ports.content import File
from gitops_wf.ports.manifests import ManifestReader

_DIGITS = 8
_STEM = 63 - _DIGITS
"""So long may a generated name be: it becomes a label of a Job's pods."""

IsNamespaced = Callable[[str, str], bool]
"""(api version, kind) -> whether its objects live in namespaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An object as a file has it, and where.

    What a step's properties hold has no line; ``path`` then names the step.
    """

    manifest: Manifest
    path: str
    line: int | None

    def error(self, message: str) -> DefinitionError:
        """Return an error that names the file and line."""
        return DefinitionError(self.path, self.line, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """An object to apply: complete, with its namespace."""

    ref: ObjectRef
    manifest: Manifest
    path: str
    line: int | None
    marks: Marks = PLAIN

    @property
    def api_version(self) -> str:
        """Return the version that it is written in."""
        return str(self.manifest["apiVersion"])

    @property
    def runs_once(self) -> bool:
        """Whether it may be gone once it is done: to make it anew is to run it again.

        A hook may be deleted by its policy or by hand, a Job by the cluster.
        https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/
        """
        spec = self.manifest.get("spec")
        return self.marks.hook is not None or (
            self.ref.kind == "Job"
            and isinstance(spec, Mapping)
            and spec.get("ttlSecondsAfterFinished") is not None
        )


def read_sources(
    files: Iterable[File], read: ManifestReader, variables: Variables | None = None
) -> list[Source]:
    """Return the objects in files, lists taken apart, variables filled in.

    Errors: DefinitionError at the first document that is no object.
    """
    return [
        source
        for file in files
        for document in read(file.path, file.data, variables)
        for source in _unpacked(
            Source(manifest=document.manifest, path=file.path, line=document.line)
        )
    ]


def given_object(manifest: Manifest, step: str) -> Source:
    """Return the object that a step's properties hold.

    Errors: DefinitionError naming the step, where it is none, or a list of some.
    """
    source = Source(manifest=manifest, path=f"step {step}", line=None)
    return only_one(list(_unpacked(source)), source.path)


def only_one(sources: Sequence[Source], path: str) -> Source:
    """Return the one object that is there. Errors: DefinitionError."""
    if len(sources) != 1:
        raise DefinitionError(
            path,
            None,
            f"holds {len(sources)} objects, and this step takes exactly one: "
            "deploy2env delivers many",
        )
    return sources[0]


def _unpacked(source: Source) -> Iterator[Source]:
    kind = _text(source, "kind", "such as Deployment")
    _text(source, "apiVersion", "such as apps/v1")
    items = source.manifest.get("items")
    if kind.endswith("List") and isinstance(items, Sequence):
        for number, item in enumerate(items):
            if not isinstance(item, Mapping):
                raise source.error(f"items[{number}] is no object")
            # Items of a typed list (ConfigMapList) may leave their kind out.
            head = {}
            if kind != "List":
                head = {
                    "apiVersion": source.manifest["apiVersion"],
                    "kind": kind.removesuffix("List"),
                }
            yield from _unpacked(
                Source(manifest={**head, **item}, path=source.path, line=source.line)
            )
        return
    metadata = source.manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        raise source.error(f"{cut(kind)} has no metadata: add metadata.name")
    if not metadata.get("name") and metadata.get("generateName"):
        source = _named(source, metadata)
        metadata = source.manifest["metadata"]
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        hint = (
            "generateName makes a new object at every apply: give it a name, or make "
            f"it a hook ({ARGO_HOOK}), which is named by what it holds"
            if metadata.get("generateName")
            else "add metadata.name"
            if name is None
            else f"metadata.name must be a string, not {cut(repr(name), 40)}: quote it"
        )
        raise source.error(f"{cut(kind)} has no name: {hint}")
    for key in ("name", "namespace"):
        if not _is_segment(metadata.get(key)):
            raise source.error(
                f"{cut(kind)}: metadata.{key} {cut(repr(metadata[key]), 40)} is no "
                "name of an object"
                + ("" if isinstance(metadata[key], str) else ": quote it")
            )
    for key in ("labels", "annotations"):
        _strings(source, metadata, f"metadata.{key}", f"{kind}/{name}")
    if kind == "Secret":
        _strings(source, source.manifest, "stringData", f"{kind}/{name}", shown=False)
    yield source


def _named(source: Source, metadata: Mapping[str, Any]) -> Source:
    """Give a hook without a name one of its content: one that changed is a new one.

    Values of a Secret stay out of it, for a name is there for all to see.
    """
    stem = metadata["generateName"]
    annotations = metadata.get("annotations")
    if not (
        isinstance(stem, str)
        and isinstance(annotations, Mapping)
        and {ARGO_HOOK, HELM_HOOK} & annotations.keys()
    ):
        return source
    content = {
        key: value
        for key, value in source.manifest.items()
        if source.manifest["kind"] != "Secret" or key not in {"data", "stringData"}
    }
    text = json.dumps(content, sort_keys=True, default=str)
    name = stem[:_STEM] + hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
    rest = {key: value for key, value in metadata.items() if key != "generateName"}
    return replace(
        source, manifest={**source.manifest, "metadata": {**rest, "name": name}}
    )


def _is_segment(value: object) -> bool:
    """Whether a name can be part of a path, as Kubernetes asks of every name.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
    """
    if value is None:
        return True
    return (
        isinstance(value, str)
        and value not in {".", ".."}
        and not set(value) & set("/%")
        and value.isprintable()
        and " " not in value
    )


def _text(source: Source, key: str, example: str) -> str:
    value = source.manifest.get(key)
    if isinstance(value, str) and value:
        return value
    if value is None:
        raise source.error(
            f"manifest has no {key}: add one ({example}), or move the file out of "
            "the environment's folder"
        )
    raise source.error(f"{key} must be a string ({example})")


def _strings(
    source: Source,
    part: Mapping[str, Any],
    path: str,
    subject: str,
    *,
    shown: bool = True,
) -> None:
    """Check a map of strings; `shown` says whether a message may show its values."""
    values = part.get(path.rpartition(".")[2])
    if values is None:
        return
    if not isinstance(values, Mapping):
        raise source.error(f"{cut(subject)}: {path} must be a map")
    for name, value in values.items():
        if not isinstance(value, str):
            what = f", not {cut(repr(value), 40)}" if shown else ""
            raise source.error(
                f"{cut(subject)}: {path}.{cut(str(name))} must be a string{what}: "
                "quote it"
            )


def desired_objects(
    sources: Iterable[Source],
    *,
    namespace: str,
    allowed: AllowList,
    is_namespaced: IsNamespaced,
    part: Part,
    labels: Mapping[str, str],
) -> tuple[Desired, ...]:
    """Return the objects for one target.

    An object without a namespace gets the target's. Errors: DefinitionError for
    one object given twice, and for what the target's allow-lists do not take.
    """
    seen: dict[ObjectRef, Source] = {}
    objects = []
    for source in sources:
        metadata = source.manifest["metadata"]
        if not part.selector.matches(metadata.get("labels") or {}):
            continue
        api_version, kind = source.manifest["apiVersion"], source.manifest["kind"]
        try:
            namespaced = is_namespaced(api_version, kind)
        except UnknownKindError as exc:
            raise source.error(exc.message) from exc
        own = metadata.get("namespace") or ""
        if not namespaced and own:
            raise source.error(
                f"{kind}/{metadata['name']}: {kind} objects have no namespace: "
                "remove metadata.namespace"
            )
        place = str(own or namespace) if namespaced else ""
        manifest = part.completed(_completed(source.manifest, place, labels))
        ref = ObjectRef.of(manifest)
        refused = refusal(ref, allowed)
        if refused:
            raise source.error(refused)
        first = seen.setdefault(ref, source)
        if first is not source:
            raise source.error(
                f"{ref} is given twice: first in {cut(first.path)}"
                + ("" if first.line is None else f":{first.line}")
            )
        try:
            marks = marks_of(manifest)
        except ValueError as exc:
            raise source.error(f"{ref}: annotation {exc}") from exc
        objects.append(
            Desired(
                ref=ref,
                manifest=manifest,
                path=source.path,
                line=source.line,
                marks=marks,
            )
        )
    return tuple(objects)


def _completed(
    manifest: Manifest, namespace: str, labels: Mapping[str, str]
) -> Manifest:
    """Return what is applied: labelled, without what only a server may set.

    `stringData` becomes `data`, as the server would store it: otherwise nobody
    owns the keys, and a key that leaves Git would stay on the cluster.
    """
    metadata = {
        key: value
        for key, value in manifest["metadata"].items()
        if key not in {"managedFields", "resourceVersion", "uid", "creationTimestamp"}
    }
    metadata.pop("namespace", None)
    if namespace:
        metadata["namespace"] = namespace
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    body = {key: value for key, value in manifest.items() if key != "status"}
    body["metadata"] = metadata
    plain = body.get("stringData")
    if manifest["kind"] == "Secret" and isinstance(plain, Mapping):
        del body["stringData"]
        body["data"] = {**(body.get("data") or {})} | {
            key: base64.b64encode(value.encode()).decode()
            for key, value in plain.items()
        }
    return body
