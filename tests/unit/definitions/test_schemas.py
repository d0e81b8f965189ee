"""Editors get schemas that accept the valid files and explain each field."""

from functools import cache
from pathlib import Path

import jsonschema
import pytest

from gitops_wf.definitions.daemon import read_daemon_config
from gitops_wf.definitions.decisions import read_decisions
from gitops_wf.definitions.problems import plain
from gitops_wf.definitions.schemas import KINDS, schema_for
from gitops_wf.definitions.yaml_text import read_documents
from tests.definitions import CATALOGUE

DATA = Path(__file__).parents[2] / "data" / "definitions"
VALID = sorted((DATA / "valid").rglob("*.yaml"))
KIND_OF = {"environment": "environment", "gitops-wf": "config", "standard": "workflow"}
SHAPE = [
    "unknown-key", "unknown-key--environment", "unknown-key--config", "missing-key",
    "missing-key--decision", "wrong-type", "wrong-type--environment", "wrong-value",
    "wrong-value--version", "name-syntax", "unknown-type", "wrong-property",
    "duration-syntax", "output-name-syntax",
]  # fmt: skip


@cache
def validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema_for(kind, CATALOGUE))


def kind_of(path: Path) -> str:
    if "approvals" in (path.stem, path.parent.name):
        return "approvals"
    return KIND_OF.get(path.stem, "workflow")


def document(path: Path):
    return plain(read_documents(path.read_bytes(), path.name)[0].value)


@pytest.mark.parametrize("path", VALID, ids=lambda p: str(p.relative_to(DATA)))
def test_a_valid_file_passes_its_schema(path):
    validator(kind_of(path)).validate(document(path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one(kind):
    jsonschema.Draft202012Validator.check_schema(schema_for(kind, CATALOGUE))


@pytest.mark.parametrize("stem", SHAPE)
def test_a_file_of_the_wrong_shape_fails_its_schema(stem):
    path = DATA / "invalid" / f"{stem}.yaml"
    name = path.read_text().splitlines()[0].removeprefix("# ").removesuffix(".yaml")
    kind = {"gitops-wf": "config"}.get(name, name)

    with pytest.raises(jsonschema.ValidationError):
        validator(kind).validate(document(path))


def undescribed(schema, path=""):
    if isinstance(schema, dict):
        for name, part in schema.get("properties", {}).items():
            is_condition = "if" in path.split("/") or "then" in path.split("/")
            if (
                isinstance(part, dict)
                and "description" not in part
                and not is_condition
            ):
                yield f"{path}/{name}"
        for key, part in schema.items():
            yield from undescribed(part, f"{path}/{key}")
    elif isinstance(schema, list):
        for number, part in enumerate(schema):
            yield from undescribed(part, f"{path}/{number}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind):
    assert list(undescribed(schema_for(kind, CATALOGUE))) == []


def test_each_step_type_and_alias_is_offered():
    step = schema_for("workflow", CATALOGUE)["$defs"]["StepPart"]

    offered = [each["const"] for each in step["properties"]["type"]["oneOf"]]
    assert {"deploy", *CATALOGUE.names()} <= set(offered)
    assert all(each["description"] for each in step["properties"]["type"]["oneOf"])


def test_the_valid_config_is_read():
    path = DATA / "valid" / "gitops-wf.yaml"

    config = read_daemon_config(
        path.read_bytes(), "/etc/gitops-wf/gitops-wf.yaml", home="/home/ann"
    )

    assert not isinstance(config, tuple)
    assert config.directory == "/etc/gitops-wf/data"
    assert config.store == "sqlite:////etc/gitops-wf/data/gitops-wf.db"
    shop, local = config.repositories
    assert shop.auth.secret == "git"
    assert shop.allowed_signers == "/etc/gitops-wf/allowed-signers"
    assert local.url == "/etc/repos/shop.git"
    assert config.targets["eu"].path == "/home/ann/.kube/config"
    assert config.rulebook.gates["eu"].policy.approvers == (
        "ann@example.com",
        "bob@example.com",
    )
    assert config.rulebook.rules[0].targets == ("eu", "us")
    assert config.secrets["git"].env == {"": "GIT_TOKEN"}
    assert config.channels["ops"]["url"] == {
        "secretRef": {"name": "chat", "key": "url"}
    }
    assert config.notify[0].events == (
        "failed",
        "rolledBack",
        "repositoryFailed",
    )


def test_the_valid_approvals_are_read():
    folder = DATA / "valid/envs/prod"

    entries = read_decisions({"a": (folder / "approvals.yaml").read_bytes()})

    assert len(entries) == 3
