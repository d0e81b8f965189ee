"""The types of Kubernetes objects: lists and their keys, atomic maps, merge keys."""

import functools
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from typing import Any, Literal

METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_TIMES = (
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
)

Type = Literal["map", "list", "scalar", "any"]
Scalar = Literal["string", "numeric", "boolean", "untyped"]


class Empty(StrEnum):
    """How Go's JSON writes a field whose value is empty (the `go` letter)."""

    OMIT = "o"
    """Left out: `omitempty` on a string, number, list or map."""
    POINTER = "p"
    """Left out when null; an empty value is kept, since it was pointed to."""
    WRITTEN = "r"
    """Always there: no `omitempty`."""
    STRUCT = "s"
    """Always there as an object: Go never omits a struct."""
    ZERO = "z"
    """A struct that is left out when it is all zero (`omitzero`)."""


@dataclass(slots=True, kw_only=True)
class Field:
    """A declared property of an object."""

    schema: "Schema"
    empty: Empty = Empty.POINTER
    default: Any = None
    """None: no default. In a built-in type only of use as that of a list key."""
    patch_strategy: frozenset[str] = frozenset()
    patch_key: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Schema:
    """A type. Types may be recursive, so they are linked after they are made.

    `any` is Kubernetes' "deduced" type: a map is merged by key, a list is atomic; with
    `atomic` a map is, too. `map` has declared `fields`, or `values` of one type for
    every other key, or both.
    """

    type: Type = "any"
    scalar: Scalar = "untyped"
    form: Literal["", "quantity", "int-or-string", "time"] = ""
    """What has a reader of its own in Go."""
    format: str = ""
    """As OpenAPI has it: int32, byte, date-time."""
    atomic: bool = False
    fields: dict[str, Field] = field(default_factory=dict)
    values: "Schema | None" = None
    items: "Schema | None" = None
    keys: tuple[str, ...] = ()
    """Of an associative list; none for a set."""
    required: tuple[str, ...] = ()
    enum: tuple[Any, ...] = ()
    definition: str = ""
    """OpenAPI name, `io.k8s.api.apps.v1.DeploymentSpec`; empty for inline types."""
    api_version: str = ""
    kind: str = ""
    """Both only of the root type of a kind."""
    custom: bool = False
    """A custom resource: kept as sent, not passed through a Go struct."""
    nullable: bool = False
    openapi: Mapping[str, Any] = field(default_factory=dict)
    """The `openAPIV3Schema` of a custom resource, at its root."""
    status_subresource: bool = True
    """The main resource ignores `status`, and the status subresource `spec`."""

    def field_type(self, name: str) -> "Schema | None":
        """The type of a key of a map; None if it is not declared in the schema."""
        found = self.fields.get(name)
        if found is not None:
            return found.schema
        if self.type == "any":
            return self
        return self.values


class Schemas:
    """The schemas of all kinds."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._kinds: Mapping[str, str] = document["kinds"]
        self._definitions: Mapping[str, Any] = document["definitions"]
        self._types: dict[str, Schema] = {}
        self._roots: dict[tuple[str, str], Schema] = {}

    @classmethod
    def bundled(cls) -> "Schemas":
        """Those of Kubernetes v1.36, made by `gitops_wf.sandbox.data.make_schemas`."""
        return _bundled()

    def built_in(self, api_version: str, kind: str) -> Schema | None:
        """The type of a built-in kind; None for any other."""
        known = f"{api_version} {kind}" in self._kinds
        return self.for_kind(api_version, kind) if known else None

    def for_kind(self, api_version: str, kind: str) -> Schema:
        """The type of a kind; one that is not built in has only its metadata typed."""
        key = (api_version, kind)
        root = self._roots.get(key)
        if root is None:
            name = self._kinds.get(f"{api_version} {kind}")
            if name is None:
                return self.for_custom(api_version, kind, {}, status_subresource=False)
            root = self._resolve(name)
            # Lists and Scale share their definition with no other kind.
            root.api_version, root.kind = key
            self._roots[key] = root
        return root

    def for_custom(
        self,
        api_version: str,
        kind: str,
        openapi: Mapping[str, Any],
        *,
        status_subresource: bool,
    ) -> Schema:
        """The type of a custom resource, from its `openAPIV3Schema` ({} for none)."""
        root = self._build(_from_openapi(openapi), custom=True) if openapi else Schema()
        if root.type != "map":
            root = Schema(type="map", values=Schema())
        string = Schema(type="scalar", scalar="string")
        metadata = Field(schema=self._resolve(METADATA))
        root.fields |= {
            "apiVersion": Field(schema=string),
            "kind": Field(schema=string),
            "metadata": metadata,
        }
        root.custom, root.openapi = True, openapi
        root.status_subresource = status_subresource
        root.api_version, root.kind = api_version, kind
        return root

    def _resolve(self, name: str) -> Schema:
        found = self._types.get(name)
        if found is None:
            found = Schema(definition=name)
            self._types[name] = found  # before its fields, which may refer to it
            self._fill(found, self._definitions[name], custom=False)
        return found

    def _build(self, spec: Mapping[str, Any], *, custom: bool) -> Schema:
        name = spec.get("ref")
        if name is None:
            schema = Schema()
            self._fill(schema, spec, custom=custom)
            return schema
        definition = self._definitions[name]
        if "mapType" in spec and spec["mapType"] != definition.get("mapType"):
            # A field may merge its type in another way than the type itself says.
            own = Schema(definition=name)
            self._fill(own, definition | spec, custom=custom)
            return own
        return self._resolve(name)

    def _fill(self, schema: Schema, spec: Mapping[str, Any], *, custom: bool) -> None:
        schema.custom = custom
        schema.nullable = spec.get("nullable", False)
        schema.enum = tuple(spec.get("enum", ()))
        schema.required = tuple(spec.get("required", ()))
        schema.atomic = spec.get("mapType") == "atomic"
        schema.format = spec.get("format", "")
        kind = spec.get("type", "")
        if schema.definition == _QUANTITY:
            schema.type, schema.form = "scalar", "quantity"
        elif (
            schema.definition == _INT_OR_STRING or spec.get("format") == "int-or-string"
        ):
            schema.type, schema.form = "scalar", "int-or-string"
        elif kind == "array":
            self._fill_list(schema, spec, custom=custom)
        elif kind == "object" and ("properties" in spec or "values" in spec):
            self._fill_map(schema, spec, custom=custom)
        elif kind in _SCALARS:
            schema.type, schema.scalar = "scalar", _SCALARS[kind]
            schema.form = "time" if schema.definition in _TIMES else ""
        else:
            # No declared fields: RawExtension, FieldsV1, JSON. A custom resource may
            # hold such an object too, and there it is merged by key.
            schema.type, schema.atomic = "any", not custom

    def _fill_list(
        self, schema: Schema, spec: Mapping[str, Any], *, custom: bool
    ) -> None:
        schema.type = "list"
        list_type = spec.get("listType", "atomic")
        schema.atomic = list_type == "atomic"
        if list_type == "map":
            schema.keys = tuple(spec.get("keys", ()))
        schema.items = self._build(spec.get("items", {}), custom=custom)

    def _fill_map(
        self, schema: Schema, spec: Mapping[str, Any], *, custom: bool
    ) -> None:
        schema.type = "map"
        if "values" in spec:
            schema.values = self._build(spec["values"], custom=custom)
        for name, prop in spec.get("properties", {}).items():
            strategy = prop.get("patchStrategy", "")
            default = prop.get("default")
            if default is None and prop.get("go") == Empty.WRITTEN:
                default = _ZERO.get(prop.get("type", ""))
            schema.fields[name] = Field(
                schema=self._build(prop, custom=custom),
                empty=Empty(prop.get("go", Empty.POINTER)),
                default=default,
                patch_strategy=frozenset(strategy.split(",")) if strategy else _NONE,
                patch_key=prop.get("patchKey", ""),
            )


_NONE: frozenset[str] = frozenset()
_SCALARS: Mapping[str, Scalar] = {
    "string": "string",
    "integer": "numeric",
    "number": "numeric",
    "boolean": "boolean",
}
_ZERO = {"string": "", "integer": 0, "number": 0, "boolean": False}
_RENAMED = {
    "x-kubernetes-list-type": "listType",
    "x-kubernetes-list-map-keys": "keys",
    "x-kubernetes-map-type": "mapType",
}


def _from_openapi(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A structural schema of a CRD, in the form of the bundled definitions."""
    out = {_RENAMED.get(name, name): value for name, value in spec.items()}
    for name in ("patchStrategy", "patchKey", "go", "ref"):
        out.pop(name, None)
    if spec.get("x-kubernetes-int-or-string"):
        out["format"] = "int-or-string"
    deep: Callable[[Any], dict[str, Any]] = _from_openapi
    if "properties" in spec:
        out["properties"] = {k: deep(v) for k, v in spec["properties"].items()}
    if isinstance(spec.get("items"), dict):
        out["items"] = deep(spec["items"])
    values = spec.get("additionalProperties")
    if isinstance(values, dict):
        out["values"] = deep(values)
    elif values is True or spec.get("x-kubernetes-preserve-unknown-fields"):
        out["values"] = {}
    if "values" in out or "properties" in out:
        out.setdefault("type", "object")
    return out


@functools.cache
def _bundled() -> Schemas:
    data = resources.files("gitops_wf.sandbox.data").joinpath("schemas.json.gz")
    return Schemas(json.loads(gzip.decompress(data.read_bytes())))
