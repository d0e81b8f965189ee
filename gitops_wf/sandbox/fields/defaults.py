"""Defaults that the server writes into an object, by the type they are written into.

OpenAPI carries hardly any of them; they are Kubernetes' `defaults.go` files. A table
row is plain values; what depends on other fields is a small function.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from gitops_wf.sandbox.fields import defaults_core, defaults_workloads
from gitops_wf.sandbox.fields.schema import Schema

Object = dict[str, Any]

_CORE = "io.k8s.api."
_APIEXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis."

_VALUES: Mapping[str, Mapping[str, Any]] = {
    _CORE + name: row
    for name, row in {**defaults_core.VALUES, **defaults_workloads.VALUES}.items()
} | {
    _APIEXTENSIONS + "apiextensions.v1.CustomResourceDefinitionSpec": {
        "conversion": {"strategy": "None"}
    },
}


def _crd_names(names: Object) -> None:
    names.setdefault("singular", names.get("kind", "").lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")


_RULES: Mapping[str, Callable[[Object], None]] = {
    _CORE + name: rule
    for name, rule in {**defaults_core.RULES, **defaults_workloads.RULES}.items()
} | {_APIEXTENSIONS + "apiextensions.v1.CustomResourceDefinitionNames": _crd_names}


def apply_defaults(obj: Object, schema: Schema) -> Object:
    """The object with its defaults: changed in place, and returned.

    It has to be in its stored form. Nothing is allocated here: a clusterIP, the
    selector of a Job and the token volume of a Pod come from the storage.
    """
    if schema.custom:
        _custom(obj, schema)
    else:
        _built_in(obj, schema)
    return obj


def _built_in(value: Any, schema: Schema) -> None:
    if schema.type == "map" and isinstance(value, dict):
        for name, default in _VALUES.get(schema.definition, {}).items():
            given = value.get(name)
            if given is None or given == "":
                value[name] = copy.deepcopy(default)
        rule = _RULES.get(schema.definition)
        if rule is not None:
            rule(value)
        for name, child in value.items():
            if isinstance(child, dict | list):
                child_type = schema.field_type(name)
                if child_type is not None:
                    _built_in(child, child_type)
    elif schema.type == "list" and isinstance(value, list) and schema.items:
        for item in value:
            if isinstance(item, dict):
                _built_in(item, schema.items)


def _custom(value: Any, schema: Schema) -> None:
    """Defaults of a structural schema; they may bring objects with defaults inside."""
    if schema.type == "map" and isinstance(value, dict):
        for name, field in schema.fields.items():
            if name not in value and field.default is not None:
                value[name] = copy.deepcopy(field.default)
        for name, child in value.items():
            child_type = schema.field_type(name)
            if child_type is not None and child_type.custom:
                _custom(child, child_type)
    elif schema.type == "list" and isinstance(value, list) and schema.items:
        for item in value:
            _custom(item, schema.items)
