"""`gitops-wf health -f`: rows for what stands in files."""

import json
from pathlib import Path

import pytest

from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.health import Health
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.ports.content import File
from gitops_wf.services.health_files import health_of_files

DATA = Path(__file__).parents[2] / "data" / "health"


def rows(*texts):
    files = [
        File(path=f"f{number}.yaml", data=text.encode())
        for number, text in enumerate(texts)
    ]
    return health_of_files(files, read_manifests)


def test_each_object_has_a_row_with_its_place():
    found = rows(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n"
        "apiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: ns}\n"
    )

    assert [(row.source, row.object, row.status) for row in found] == [
        ("f0.yaml:1", "ConfigMap/a", Health.CURRENT),
        ("f0.yaml:5", "Pod/ns/b", Health.IN_PROGRESS),
    ]


def test_pods_in_the_files_tell_of_their_workload():
    recorded = json.loads((DATA / "failed-rollout.json").read_text())
    items = [recorded["deployment"], *recorded["replica_sets"], *recorded["pods"]]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

    first = rows(text)[0]

    assert first.status is Health.FAILED
    assert "ImagePullBackOff" in first.message


def test_what_is_no_object_is_an_error_with_its_place():
    with pytest.raises(DefinitionError, match=r"f1\.yaml:1: manifest has no kind"):
        rows("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "a: 1\n")
