"""JSON Schemas of our files, made from the models, so that editors complete and check.

They say what a file's shape is; names, order and expressions are checked only when the
file is read. A value of a step's properties may be a text with `${{ … }}` in place of
what its type takes.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from gitops_wf.core.durations import format_duration
from gitops_wf.core.sizes import Size
from gitops_wf.definitions.approvals_file import ApprovalsFile, EntryPart
from gitops_wf.definitions.daemon_file import DaemonFile
from gitops_wf.definitions.environment_file import EnvironmentFile
from gitops_wf.definitions.workflow_file import WorkflowFile
from gitops_wf.ports.runner import StepCatalogue, StepType

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{model}"
_EXPRESSION: Schema = {
    "type": "string",
    "pattern": r"\$\{\{",
    "description": "A CEL expression: ${{ … }}",
}


def schema_for(kind: str, catalogue: StepCatalogue) -> Schema:
    """The schema of `environment`, `workflow`, `approvals` or `config`.

    Errors: KeyError for another kind.
    """
    return {
        "$schema": DIALECT,
        "$id": f"urn:gitops-wf:v1alpha1:{kind}",
        **_KINDS[kind](catalogue),
    }


def properties_schema(step_type: StepType) -> Schema:
    """Return the schema of what a step type takes under `properties`."""
    return _of(step_type.properties)


def _environment(_catalogue: StepCatalogue) -> Schema:
    return _of(EnvironmentFile)


def _config(_catalogue: StepCatalogue) -> Schema:
    return _of(DaemonFile)


def _approvals(_catalogue: StepCatalogue) -> Schema:
    listed, single = _of(ApprovalsFile), _of(EntryPart)
    definitions = {**listed.pop("$defs", {}), **single.pop("$defs", {})}
    return {
        "title": "Approvals",
        "description": "A list of decisions, or one decision by itself.",
        "anyOf": [listed, single],
        "$defs": definitions,
    }


def _workflow(catalogue: StepCatalogue) -> Schema:
    schema = _of(WorkflowFile)
    step = schema["$defs"]["StepPart"]
    types = [found for name in catalogue.names() if (found := catalogue.get(name))]
    step["properties"]["type"] = {
        "description": step["properties"]["type"]["description"],
        "oneOf": [
            {"const": name, "description": each.summary}
            for each in types
            for name in (each.name, *each.aliases)
        ],
    }
    step["allOf"] = [
        clause for each in types for clause in _clauses(each, schema["$defs"])
    ]
    return schema


def _clauses(step_type: StepType, definitions: Schema) -> list[Schema]:
    """What holds for a step of a type: its properties, and which must be there."""
    prefix = f"{step_type.name}."
    properties = _of(step_type.properties, _REF.replace("{", prefix + "{", 1))
    inner = properties.pop("$defs", {})
    definitions.update({prefix + name: part for name, part in inner.items()})
    required = properties.pop("required", [])
    properties["properties"] = {
        name: _or_expression(part)
        for name, part in properties.get("properties", {}).items()
    }
    is_type: Schema = {
        "properties": {"type": {"enum": [step_type.name, *step_type.aliases]}},
        "required": ["type"],
    }
    clauses: list[Schema] = [
        {"if": is_type, "then": {"properties": {"properties": properties}}}
    ]
    if required:
        # An input may give what the properties leave out.
        clauses.append(
            {
                "if": {**is_type, "not": {"required": ["inputs"]}},
                "then": {
                    "required": ["properties"],
                    "properties": {"properties": {"required": required}},
                },
            }
        )
    return clauses


def _or_expression(part: Schema) -> Schema:
    about: Schema = {
        key: part[key] for key in ("description", "title", "default") if key in part
    }
    rest: Schema = {key: value for key, value in part.items() if key not in about}
    if rest == {"type": "string"}:
        return part
    return {**about, "anyOf": [rest, _EXPRESSION]}


def _of(model: type[BaseModel], ref_template: str = _REF) -> Schema:
    return model.model_json_schema(
        by_alias=True, ref_template=ref_template, schema_generator=_AsWritten
    )


class _AsWritten(GenerateJsonSchema):
    """Gives defaults as a user would write them: `5m`, not `PT5M`; `8Mi`."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return format_duration(dft)
        if isinstance(dft, Size):
            return str(dft)
        return super().encode_default(dft)


_KINDS: dict[str, Callable[[StepCatalogue], Schema]] = {
    "environment": _environment,
    "workflow": _workflow,
    "approvals": _approvals,
    "config": _config,
}
KINDS = tuple(_KINDS)
"""The kinds of files that have a schema."""
