"""Request bodies as the API server reads them: duplicate keys and YAML 1.1 included."""

import json
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import yaml

from gitops_wf.sandbox.fields.errors import bad_request

Object = dict[str, Any]

MAX_NODES = 4_000_000
"""Of a YAML body with its aliases written out; one of 3 MiB has less without them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A body that was read, and the keys that stood in it more than once."""

    value: Any
    duplicates: tuple[str, ...] = ()
    """JSON: `duplicate field "data.k"`; YAML: `line 6: key "k" already set in map`."""


class _Pairs(list[tuple[str, Any]]):
    """A JSON object before its duplicate keys are put together."""


def json_document(text: str | bytes) -> Document:
    """A JSON body; a map that is there twice is merged, as Go fills the same map.

    Raises json.JSONDecodeError, and FieldError 400 if it is nested too deeply.
    """
    duplicates: list[str] = []
    try:
        value = _merged(json.loads(text, object_pairs_hook=_Pairs), "", duplicates)
    except RecursionError as exc:
        raise bad_request("json: exceeded max depth") from exc
    return Document(value=value, duplicates=tuple(duplicates))


def _merged(value: Any, path: str, duplicates: list[str]) -> Any:
    if isinstance(value, _Pairs):
        out: Object = {}
        for name, child in value:
            below = f"{path}.{name}" if path else name
            if name in out:
                duplicates.append(f'duplicate field "{below}"')
            made = _merged(child, below, duplicates)
            before = out.get(name)
            both = isinstance(before, dict) and isinstance(made, dict)
            out[name] = before | made if both else made
        return out
    if isinstance(value, list):
        return [_merged(v, f"{path}[{i}]", duplicates) for i, v in enumerate(value)]
    return value


def yaml_document(text: str | bytes) -> Document:
    """A YAML 1.1 body as sigs.k8s.io/yaml turns it into JSON: the last key wins.

    Raises yaml.YAMLError, and FieldError 400 if it is nested too deeply or aliases
    would make it grow beyond MAX_NODES. An empty body is an empty object.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        value = None
        if node is not None:
            _check_size(node)
            value = loader.construct_document(node)
    except RecursionError as exc:
        raise bad_request("error converting YAML to JSON: exceeded max depth") from exc
    finally:
        loader.dispose()
    empty = value is None
    return Document(
        value={} if empty else value, duplicates=tuple(loader.duplicate_keys)
    )


def _check_size(root: yaml.Node) -> None:
    """FieldError 400 for a document that a few aliases blow up."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node))
        if known is None:
            sizes[id(node)] = 1  # an alias to what holds it is refused later
            below: list[yaml.Node] = []
            if isinstance(node, yaml.MappingNode):
                below = [one for pair in node.value for one in pair]
            elif isinstance(node, yaml.SequenceNode):
                below = node.value
            known = 1 + sum(map(size, below))
            sizes[id(node)] = known
        return known

    if size(root) > MAX_NODES:
        raise bad_request(
            "error converting YAML to JSON: yaml: document contains excessive aliasing"
        )


class _Loader(yaml.SafeLoader):
    """Go's reading of YAML 1.1: `y` is a boolean, a time stays text, keys are text."""

    def __init__(self, stream: str | bytes) -> None:
        super().__init__(stream)
        self.duplicate_keys: list[str] = []

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002
    ) -> dict[Hashable, Any]:
        del deep
        self.flatten_mapping(node)
        out: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = _key(self.construct_object(key_node, deep=True))
            if key in out:
                line = key_node.start_mark.line + 1
                self.duplicate_keys.append(
                    f'line {line}: key "{key}" already set in map'
                )
            out[key] = self.construct_object(value_node, deep=True)
        return out

    def construct_yaml_map(self, node: yaml.MappingNode) -> Any:
        return self.construct_mapping(node)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


_IMPLICIT = yaml.SafeLoader.yaml_implicit_resolvers
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, rule) for tag, rule in rules if not tag.endswith((":timestamp", ":bool"))
    ]
    for first, rules in _IMPLICIT.items()
}
_BOOLEAN = re.compile(r"(y|n|yes|no|true|false|on|off)$", re.IGNORECASE)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("yYnNtTfFoO"))
_Loader.bool_values = yaml.SafeLoader.bool_values | {"y": True, "n": False}
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_yaml_map)
