"""What a step passes on as it is, such as a Kubernetes object, is not read as ours."""

import pytest
import yaml

from tests.definitions import read

CONTAINER = {
    "name": "main",
    "image": "seed:1",
    "envFrom": [{"secretRef": {"name": "on-the-cluster"}}],
}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "seed"},
    "spec": {"template": {"spec": {"containers": [CONTAINER]}}},
}


@pytest.mark.parametrize("name", ["apply-object", "run-job"])
def test_a_secret_that_a_kubernetes_object_names_is_none_of_the_daemon_config(name):
    workflow = {
        "apiVersion": "gitops-wf.io/v1alpha1",
        "kind": "Workflow",
        "steps": [
            {"name": "deploy", "type": "deploy2env"},
            {"name": "seed", "type": name, "properties": {"value": JOB}},
        ],
    }

    problems = read({"workflow.yaml": yaml.safe_dump(workflow).encode()}).problems

    assert list(map(str, problems)) == []
