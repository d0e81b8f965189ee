"""What a body that can't be read is answered with, against the recorded answers."""

import copy
from typing import Any

import pytest

from gitops_wf.sandbox.fields.decode import json_document, yaml_document
from gitops_wf.sandbox.fields.errors import FieldError
from gitops_wf.sandbox.fields.patch import json_patch, merge_patch
from gitops_wf.sandbox.fields.schema import Schemas
from gitops_wf.sandbox.fields.strategic import strategic_merge_patch
from gitops_wf.sandbox.fields.validate import check_decoding, check_patched
from tests.recorded_kubernetes import Step, step

SCHEMAS = Schemas.bundled()
DEPLOYMENT = SCHEMAS.for_kind("apps/v1", "Deployment")
CONFIG_MAP = SCHEMAS.for_kind("v1", "ConfigMap")


def causes(error: FieldError) -> list[dict[str, str]]:
    return [
        {"reason": c.reason, "message": c.message, "field": c.field}
        for c in error.causes
    ]


def check(recorded: Step) -> list[str]:
    text = recorded.raw
    document = None
    if isinstance(text, str):
        read = yaml_document if "yaml" in recorded.content_type else json_document
        document = read(text)
    value = document.value if document else recorded.body
    return check_decoding(
        value,
        SCHEMAS.for_kind(value["apiVersion"], value["kind"]),
        validation=recorded.query.get("fieldValidation", ""),
        duplicates=document.duplicates if document else (),
    )


@pytest.mark.parametrize(
    ("scenario", "n"),
    [
        ("08", 25),
        ("08", 43),
        ("08", 44),
        ("26", 4),
        ("09", 1),
        ("09", 5),
        ("09", 8),
        ("09", 9),
        ("09", 15),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_recorded(
    scenario: str, n: int
) -> None:
    recorded = step(scenario, n)
    with pytest.raises(FieldError) as refused:
        check(recorded)
    assert refused.value.code == recorded.status
    assert refused.value.message == recorded.answer["message"]


def test_a_boolean_name_in_yaml_is_refused_as_recorded() -> None:
    recorded = step("08", 37)
    with pytest.raises(FieldError) as refused:
        check(recorded)
    assert refused.value.message == recorded.answer["message"]


def test_duplicate_keys_of_a_yaml_body_are_named_with_their_line() -> None:
    recorded = step("09", 8)
    document = yaml_document(recorded.raw)
    assert document.duplicates == ('line 6: key "k" already set in map',)
    assert document.value["data"] == {"k": "b"}


@pytest.mark.parametrize(
    ("n", "warnings"),
    [
        (2, ['unknown field "metadata.bogus"', 'unknown field "nope"']),
        (3, []),
        (4, ['unknown field "metadata.bogus"', 'unknown field "nope"']),
        (6, ['duplicate field "data.k"', 'duplicate field "data"']),
        (7, []),
    ],
)
def test_unknown_and_duplicate_fields_are_warnings_unless_ignored(
    n: int, warnings: list[str]
) -> None:
    assert check(step("09", n)) == warnings


def patched(recorded: Step) -> list[str]:
    live = copy.deepcopy(recorded.live or {})
    schema = SCHEMAS.for_kind(live["apiVersion"], live["kind"])
    patch = None
    if "strategic" in recorded.content_type:
        patch = recorded.body
        result = strategic_merge_patch(live, patch, schema)
    elif "json-patch" in recorded.content_type:
        result = json_patch(live, recorded.body)
    else:
        result = merge_patch(live, recorded.body)
    validation: Any = recorded.query.get("fieldValidation", "")
    return check_patched(
        result, schema, SCHEMAS.built_in, patch=patch, validation=validation
    )


@pytest.mark.parametrize(
    ("scenario", "n"),
    [
        ("07", 10),
        ("07", 16),
        ("07", 19),
        ("07", 20),
        ("09", 11),
        ("09", 13),
        ("09", 14),
    ],
)
def test_a_patch_with_an_unreadable_result_is_refused_as_recorded(
    scenario: str, n: int
) -> None:
    recorded = step(scenario, n)
    with pytest.raises(FieldError) as refused:
        patched(recorded)
    assert refused.value.message == recorded.answer["message"]
    assert causes(refused.value) == recorded.answer["details"]["causes"]


def test_an_unknown_field_of_a_patch_is_a_warning() -> None:
    assert patched(step("09", 12)) == ['unknown field "nope"']


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: y", True),
        ("a: No", False),
        ("a: 2001-01-01", "2001-01-01"),
        ("a: '1'", "1"),
    ],
)
def test_yaml_is_read_as_yaml_1_1_without_times(text: str, value: Any) -> None:
    assert yaml_document(text).value == {"a": value}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"replicas": 1.5}, "json: cannot unmarshal number into Go struct field DeploymentSpec.spec.replicas of type int32"),
        ({"paused": "x"}, "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool"),
        ({"template": {"spec": {"containers": [{"image": 1}]}}}, "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.image of type string"),
        ({"template": {"metadata": {"labels": {"a": 1}}}}, "json: cannot unmarshal number into Go struct field ObjectMeta.spec.template.metadata.labels of type string"),
        ({"strategy": {"rollingUpdate": {"maxSurge": True}}}, "json: cannot unmarshal bool into Go struct field RollingUpdateDeployment.spec.strategy.rollingUpdate.maxSurge of type string"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_named_with_its_go_struct(spec: Any, text: str) -> None:
    with pytest.raises(FieldError) as refused:
        check_decoding({"spec": spec}, DEPLOYMENT)
    assert refused.value.message.endswith(f"cannot be handled as a Deployment: {text}")


def test_a_quantity_that_is_none_is_refused() -> None:
    limits = {"limits": {"cpu": "much"}}
    spec = {"template": {"spec": {"containers": [{"name": "a", "resources": limits}]}}}
    with pytest.raises(
        FieldError, match="quantities must match the regular expression"
    ):
        check_decoding({"spec": spec}, DEPLOYMENT)


def test_null_fits_every_type() -> None:
    assert check_decoding({"data": None, "metadata": None}, CONFIG_MAP) == []


def test_a_yaml_body_that_aliases_blow_up_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(FieldError, match="excessive aliasing") as refused:
        yaml_document("\n".join(lines))
    assert refused.value.code == 400


def test_an_alias_stands_for_its_value() -> None:
    assert yaml_document("a: &x {k: v}\nb: *x").value == {
        "a": {"k": "v"},
        "b": {"k": "v"},
    }


@pytest.mark.parametrize("read", [json_document, yaml_document])
def test_a_body_that_is_nested_too_deeply_is_refused(read: Any) -> None:
    with pytest.raises(FieldError, match="exceeded max depth") as refused:
        read("[" * 5000 + "]" * 5000)
    assert refused.value.code == 400


def test_an_empty_yaml_body_is_an_empty_object() -> None:
    assert yaml_document("").value == {}


def test_keys_of_a_yaml_body_become_text() -> None:
    assert yaml_document("{1: a, true: b, null: c}").value == {
        "1": "a",
        "true": "b",
        "null": "c",
    }


def test_duplicates_in_a_list_are_named_with_their_place() -> None:
    document = json_document('{"a": [{"k": 1, "k": 2}], "l": [1], "l": [2]}')
    assert document.value == {"a": [{"k": 2}], "l": [2]}
    assert document.duplicates == ('duplicate field "a[0].k"', 'duplicate field "l"')
