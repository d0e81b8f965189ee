"""A custom object that asks for it is brought to a state, and gets its Secret."""

import base64

import pytest

from tests.crds import definitions
from tests.sandboxcluster import Cluster

CONFIGURATIONS = "configurations.terraform.core.oam.dev"
AVAILABLE = "{apply: {state: Available, message: Cloud resources are deployed}}"


@pytest.fixture
def cluster():
    made = Cluster()
    for definition in definitions("terraform"):
        made.create("customresourcedefinitions.apiextensions.k8s.io", definition)
    made.settle(5)
    return made


def database(annotations, **spec):
    return {
        "apiVersion": "terraform.core.oam.dev/v1beta2",
        "kind": "Configuration",
        "metadata": {
            "name": "database",
            "namespace": "default",
            "annotations": {
                f"sandbox.gitops-wf.io/{key}": value
                for key, value in annotations.items()
            },
        },
        "spec": {"writeConnectionSecretToRef": {"name": "db-conn"}, **spec},
    }


def values(secret):
    return {
        key: base64.b64decode(value).decode() for key, value in secret["data"].items()
    }


def test_its_status_and_secret_come_after_the_delay(cluster):
    asked = {"status": AVAILABLE, "secret": "{DB_HOST: db, PORT: 5432}", "delay": "4s"}
    cluster.create(CONFIGURATIONS, database(asked))

    cluster.settle(3)
    assert "status" not in cluster.get(CONFIGURATIONS, "database")
    assert cluster.find("secrets", "db-conn") is None

    cluster.settle(1)
    assert cluster.get(CONFIGURATIONS, "database")["status"]["apply"]["state"] == (
        "Available"
    )
    secret = cluster.get("secrets", "db-conn")
    assert values(secret) == {"DB_HOST": "db", "PORT": "5432"}
    assert secret["metadata"]["ownerReferences"][0]["name"] == "database"


def test_without_an_annotation_nothing_is_touched(cluster):
    cluster.create(CONFIGURATIONS, database({}))

    cluster.settle(3600)

    assert "status" not in cluster.get(CONFIGURATIONS, "database")
    assert cluster.find("secrets", "db-conn") is None


def test_another_secret_in_the_annotation_rotates_it(cluster):
    cluster.create(CONFIGURATIONS, database({"secret": "{PASSWORD: one}"}))
    cluster.settle(2)

    cluster.change(
        CONFIGURATIONS,
        "database",
        lambda it: it["metadata"]["annotations"].update(
            {"sandbox.gitops-wf.io/secret": "{PASSWORD: two}"}
        ),
    )
    cluster.settle(2)

    assert values(cluster.get("secrets", "db-conn")) == {"PASSWORD": "two"}


def test_a_secret_that_somebody_deletes_is_written_again_and_goes_with_its_owner(
    cluster,
):
    cluster.create(CONFIGURATIONS, database({"secret": "{PASSWORD: one}"}))
    cluster.settle(2)

    cluster.delete("secrets", "db-conn")
    cluster.settle(2)
    assert values(cluster.get("secrets", "db-conn")) == {"PASSWORD": "one"}

    cluster.delete(CONFIGURATIONS, "database")
    cluster.settle(2)
    assert cluster.find("secrets", "db-conn") is None


@pytest.mark.parametrize(
    ("annotations", "says"),
    [
        ({"status": "- a list"}, "sandbox.gitops-wf.io/status must be a map"),
        ({"secret": "{a: [}"}, "sandbox.gitops-wf.io/secret is no YAML"),
    ],
)
def test_what_cannot_be_read_is_told_as_an_event(cluster, annotations, says):
    cluster.create(CONFIGURATIONS, database(annotations))
    cluster.settle(2)

    assert ("CannotPlayCloud", says) in cluster.events("Configuration")
