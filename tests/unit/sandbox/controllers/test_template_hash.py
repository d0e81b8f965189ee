"""The hashes are those that a Kubernetes 1.36 controller manager wrote."""

import pytest

from gitops_wf.sandbox.controllers.template_hash import safe_encode, template_hash
from tests.sandboxcluster import template

RECORDED = [
    ("nginx:1", "web", "56b55d7545"),
    ("nginx:2", "web", "5769c86b66"),
    ("nginx:3", "web", "788884899f"),
    ("broken:1", "web", "5b4cb7bfc4"),
    ("broken:1", "new", "75867774b"),
    ("notready:1", "nr", "576bf89b8c"),
    ("nginx:1", "bg", "6564d4d8f4"),
    ("nginx:1", "fg", "55486c4954"),
    ("nginx:1", "or", "759bd5fd8"),
    ("nginx:1", "df", "8986c6857"),
]


@pytest.mark.parametrize(("image", "app", "expected"), RECORDED)
def test_the_hash_is_the_recorded_one(image, app, expected):
    assert template_hash(template(image, app)) == expected


def test_an_annotation_of_the_template_changes_the_hash_as_recorded():
    annotated = template("nginx:1", "web")
    annotated["metadata"]["annotations"] = {"a": "b"}

    assert template_hash(annotated) == "df45447b7"


def test_empty_lists_maps_and_nulls_are_the_same_template_as_nothing():
    padded = template("nginx:1", "web")
    padded["metadata"] |= {"annotations": {}, "creationTimestamp": None}
    padded["spec"] |= {"tolerations": [], "nodeSelector": {}, "hostNetwork": False}

    assert template_hash(padded) == "56b55d7545"


def test_a_collision_gives_another_hash():
    assert template_hash(template(), 0) != template_hash(template())
    assert template_hash(template(), 1) != template_hash(template(), 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [("100m", "200m"), ("1Gi", "1Mi"), ("1", "1k"), ("0", "1"), ("1e3", "1e2")],
)
def test_quantities_of_resources_are_part_of_the_hash(first, second):
    def with_limit(quantity):
        made = template()
        made["spec"]["containers"][0]["resources"] = {"limits": {"cpu": quantity}}
        return template_hash(made)

    assert with_limit(first) != with_limit(second)


def test_every_field_that_inlines_another_type_is_read():
    def with_volume(name, port):
        made = template()
        made["spec"]["volumes"] = [{"name": "v", "configMap": {"name": name}}]
        made["spec"]["containers"][0]["livenessProbe"] = {
            "httpGet": {"path": "/", "port": port}
        }
        return template_hash(made)

    hashes = {with_volume("a", 80), with_volume("b", 80), with_volume("a", "http")}
    assert len(hashes | {template_hash(template())}) == 4


def test_the_encoding_makes_no_words():
    assert safe_encode("0123456789") == "456789bcdf"
