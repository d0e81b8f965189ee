"""The comparison with KubeVela's step types says what is so."""

import re

import pytest
import yaml

from gitops_wf.definitions import kubevela
from gitops_wf.definitions.schemas import properties_schema
from tests.definitions import CATALOGUE, read
from tests.doc_tables import DOCS, named_tests, rows
from tests.field_tables import rows as fields

PAGE = DOCS / "reference" / "steps.md"
ROWS = list(rows(PAGE))
THEIRS = re.compile(r"`([a-z0-9-]+)(?:\.(\S+))?`")
OURS = re.compile(r"`([a-z0-9-]+)(?:\.(\S+))?`")

KUBEVELA = [
    "addon-operation",
    "apply-app",
    "apply-application",
    "apply-application-in-parallel",
    "apply-component",
    "apply-deployment",
    "apply-job",
    "apply-object",
    "apply-remaining",
    "apply-terraform-config",
    "apply-terraform-provider",
    "build-push-image",
    "chat-gpt",
    "check-metrics",
    "clean-jobs",
    "collect-service-endpoints",
    "create-config",
    "delete-config",
    "depends-on-app",
    "deploy",
    "deploy-cloud-resource",
    "deploy2env",
    "deploy2runtime",
    "export-data",
    "export-service",
    "export2config",
    "export2secret",
    "generate-jdbc-connection",
    "list-config",
    "notification",
    "print-message-in-status",
    "read-app",
    "read-config",
    "read-object",
    "request",
    "restart-workflow",
    "share-cloud-resource",
    "step-group",
    "suspend",
    "vela-cli",
    "webhook",
]
"""All that KubeVela 1.11 and its workflow add-on have."""


def theirs(row):
    found = THEIRS.match(row[0])
    assert found, f"begin with `type` or `type.property`: {row[0]}"
    return found[1], found[2] or ""


def named(row):
    return f"{row[0].strip('`')}"


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_row_has_four_cells_and_a_test(row):
    assert len(row) == 4
    assert len(named_tests(row[3], PAGE)) >= 1


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row[1].startswith("`")], ids=named
)
def test_what_is_said_to_be_here_is_here(row):
    for name, path in OURS.findall(row[1]):
        step_type = CATALOGUE.get(name)
        assert step_type, f"there is no step type {name}"
        known = {field[0].strip("`") for field in fields(properties_schema(step_type))}
        assert path in known | {""}, f"{name} takes no {path}"


@pytest.mark.parametrize("row", [row for row in ROWS if row[1] == "error"], ids=named)
def test_what_kubevela_calls_otherwise_is_told_with_the_mend(row):
    name, path = theirs(row)
    step = {"name": "x", "type": name}
    if path:
        step["properties"] = {path: "x"}
    workflow = {
        "apiVersion": "gitops-wf.io/v1alpha1",
        "kind": "Workflow",
        "steps": [{"name": "deploy", "type": "deploy2env"}, step],
    }
    problems = read({"workflow.yaml": yaml.safe_dump(workflow).encode()}).problems

    assert [str(one) for one in problems if f"; {row[2]}" in str(one)]


def test_every_mend_stands_in_the_table():
    told = {theirs(row) for row in ROWS if row[1] == "error"}
    same = {(CATALOGUE.get(name).name, path) for name, path in told if path}

    assert {name for name, path in told if not path} == set(kubevela.TYPES)
    assert same == {
        (name, path) for name, paths in kubevela.PROPERTIES.items() for path in paths
    }


def test_every_step_type_of_kubevela_is_compared_or_said_not_to_be():
    text = PAGE.read_text().partition("## Not compared yet")[2]
    open_ = set(re.findall(r"`([a-z0-9-]+)`", text))
    compared = {theirs(row)[0] for row in ROWS}

    assert sorted(compared | open_) == sorted(KUBEVELA)
    assert sorted(compared & open_) == []
