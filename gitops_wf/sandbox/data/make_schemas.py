"""Makes `schemas.json.gz` from an API server's OpenAPI and the Go types of Kubernetes.

OpenAPI v2 has every kind, its list types, merge keys and enums; v3 adds defaults of
list keys. What neither tells is how Go writes an empty field (a pointer, omitempty,
a struct), so the `types.go` files are read for that: the `go` letter of a property,
whose values `gitops_wf.sandbox.fields.schema.Empty` explains.

    python -m gitops_wf.sandbox.data.make_schemas OUT OPENAPI_V2 [OPENAPI_V3...] \
        --types io.k8s.api=API_CHECKOUT \
        --types io.k8s.apimachinery.pkg=APIMACHINERY_CHECKOUT/pkg

Inputs may be gzipped. A CHECKOUT is a work tree of kubernetes/api and the like.
"""

import argparse
import gzip
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_KEPT = {
    "type": "type",
    "format": "format",
    "enum": "enum",
    "required": "required",
    "x-kubernetes-list-type": "listType",
    "x-kubernetes-list-map-keys": "keys",
    "x-kubernetes-map-type": "mapType",
    "x-kubernetes-patch-strategy": "patchStrategy",
    "x-kubernetes-patch-merge-key": "patchKey",
}
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r'^\s+(\w+\s+)?(\S+)\s+`json:"([^"]*)"', re.MULTILINE)

GoFields = dict[str, tuple[str, str]]
"""JSON name -> (Go type, JSON options); an embedded struct has the name ` Type`."""


def _load(path: Path) -> Any:
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def go_structs(roots: Mapping[str, Path]) -> dict[str, GoFields]:
    """Struct fields by OpenAPI definition name, as `io.k8s.api.apps.v1.Deployment`."""
    structs: dict[str, GoFields] = {}
    for prefix, root in roots.items():
        for path in sorted(root.rglob("*.go")):
            if path.name.endswith("_test.go") or path.name.startswith("zz_"):
                continue
            package = ".".join((prefix, *path.relative_to(root).parent.parts))
            for name, body in _STRUCT.findall(path.read_text(encoding="utf-8")):
                structs[f"{package}.{name}"] = _fields(body)
    return structs


def _fields(body: str) -> GoFields:
    fields: GoFields = {}
    for _, go_type, tag in _FIELD.findall(body):
        json_name, _, options = tag.partition(",")
        fields[json_name or f" {go_type}"] = (go_type, options)
    return fields


def _find(structs: Mapping[str, GoFields], definition: str, name: str) -> Any:
    fields = structs.get(definition, {})
    if name in fields:
        return fields[name]
    for embedded in fields:
        if embedded.startswith(" "):
            base = embedded.strip(" *").rpartition(".")[2]
            found = _find(structs, f"{definition.rpartition('.')[0]}.{base}", name)
            if found:
                return found
    return None


def _empty(found: tuple[str, str], spec: Mapping[str, Any]) -> str:
    """The `go` letter of a property: how Go's JSON writes its zero value."""
    go_type, options = found
    if go_type.startswith("*"):
        return "p"
    if "omitzero" in options:
        return "z"
    is_struct = "$ref" in spec and not go_type.startswith(("[]", "map["))
    if is_struct:
        return "s"
    return "o" if "omitempty" in options else "r"


def _compact(
    spec: Mapping[str, Any], definition: str, structs: Mapping[str, GoFields]
) -> dict[str, Any]:
    out: dict[str, Any] = {new: spec[old] for old, new in _KEPT.items() if old in spec}
    if "$ref" in spec:
        out["ref"] = spec["$ref"].rpartition("/")[2]
    if "items" in spec:
        out["items"] = _compact(spec["items"], definition, structs)
    if isinstance(spec.get("additionalProperties"), dict):
        out["values"] = _compact(spec["additionalProperties"], definition, structs)
    if "properties" in spec:
        out["properties"] = {}
        for name in _in_go_order(spec["properties"], definition, structs):
            prop = spec["properties"][name]
            out["properties"][name] = _compact(prop, definition, structs)
            found = _find(structs, definition, name)
            if found:
                out["properties"][name]["go"] = _empty(found, prop)
    return out


def _in_go_order(
    names: Iterable[str], definition: str, structs: Mapping[str, GoFields]
) -> list[str]:
    """Properties as Go declares them, which is how the server writes them."""
    order = {"kind": -2, "apiVersion": -1}
    for name in _go_names(definition, structs):
        order.setdefault(name, len(order))
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def _go_names(definition: str, structs: Mapping[str, GoFields]) -> Iterable[str]:
    for name in structs.get(definition, {}):
        if name.startswith(" "):
            base = name.strip(" *").rpartition(".")[2]
            yield from _go_names(f"{definition.rpartition('.')[0]}.{base}", structs)
        else:
            yield name


def _overlay_defaults(defs: dict[str, Any], documents: Iterable[Any]) -> None:
    for document in documents:
        for name, spec in document["components"]["schemas"].items():
            for prop, prop_spec in spec.get("properties", {}).items():
                default = prop_spec.get("default")
                target = defs.get(name, {}).get("properties", {}).get(prop)
                if default not in (None, "", 0, False, {}) and target is not None:
                    target["default"] = default


def make(v2: Any, v3: Iterable[Any], structs: Mapping[str, GoFields]) -> dict[str, Any]:
    """The resource: `kinds` ("apps/v1 Deployment" -> definition) and `definitions`."""
    kinds: dict[str, str] = {}
    definitions: dict[str, Any] = {}
    for name, spec in v2["definitions"].items():
        definitions[name] = _compact(spec, name, structs)
        for gvk in spec.get("x-kubernetes-group-version-kind", ()):
            if name.endswith(("DeleteOptions", "WatchEvent")):
                continue
            group = f"{gvk['group']}/" if gvk["group"] else ""
            kinds[f"{group}{gvk['version']} {gvk['kind']}"] = name
    _overlay_defaults(definitions, v3)
    return {"kinds": kinds, "definitions": definitions}


def main() -> None:
    """Reads the arguments and writes the resource."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("v2", type=Path)
    parser.add_argument("v3", type=Path, nargs="*")
    parser.add_argument("--types", action="append", default=[], metavar="PREFIX=DIR")
    args = parser.parse_args()
    roots = {p: Path(d) for p, _, d in (t.partition("=") for t in args.types)}
    made = make(_load(args.v2), [_load(p) for p in args.v3], go_structs(roots))
    text = json.dumps(made, separators=(",", ":")).encode()
    args.out.write_bytes(gzip.compress(text, 9, mtime=0))


if __name__ == "__main__":
    main()
