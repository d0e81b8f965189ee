"""Which objects are cloud resources, and where their Secret is: by rules."""

import pytest

from gitops_wf.bootstrap.cloud import cloud_rules, shipped_cloud_rules
from gitops_wf.core.cloud import CloudChoice, CloudRule, CloudRules

SHIPPED = cloud_rules()


def manifest(api_version, kind="Database", spec=None, **metadata):
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "db", "namespace": "here", **metadata},
        "spec": spec or {},
    }


def claim(**spec):
    return manifest("db.example.org/v1", "SQLInstance", spec)


def place(rules, item):
    found = rules.find(item)
    secret = found and found.secret_of(item)
    return secret and f"{secret.namespace}/{secret.name}"


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_a_configuration_of_terraform_names_its_secret(version):
    item = manifest(
        f"terraform.core.oam.dev/{version}",
        "Configuration",
        {"writeConnectionSecretToRef": {"name": "conn"}},
    )

    assert place(SHIPPED, item) == "here/conn"


def test_a_secret_that_names_no_namespace_is_told_the_objects_own():
    reference = {"name": "conn"}
    item = manifest(
        "terraform.core.oam.dev/v1beta2",
        "Configuration",
        {"writeConnectionSecretToRef": reference},
    )
    rule = SHIPPED.find(item)

    filled = rule.completed(item)

    assert filled["spec"]["writeConnectionSecretToRef"] == {
        "name": "conn",
        "namespace": "here",
    }
    assert rule.completed(filled) == filled
    assert item["spec"]["writeConnectionSecretToRef"] == {"name": "conn"}


def test_what_writes_no_secret_is_left_as_it_is():
    item = manifest("terraform.core.oam.dev/v1beta2", "Configuration", {"hcl": "…"})
    rule = SHIPPED.find(item)

    assert rule.completed(item) is item
    assert rule.secret_of(item) is None


@pytest.mark.parametrize(
    "spec",
    [
        {"writeConnectionSecretToRef": {"name": "conn"}},
        {"compositionRef": {"name": "small"}},
        {"forProvider": {"region": "eu"}},
        {"crossplane": {"compositionRef": {"name": "small"}}},
    ],
)
def test_claims_composites_and_managed_resources_of_crossplane_are_told_by_their_fields(
    spec,
):
    assert SHIPPED.find(claim(**spec)) is not None


def test_a_composites_secret_is_where_it_says():
    reference = {"name": "conn", "namespace": "elsewhere"}

    item = claim(writeConnectionSecretToRef=reference)

    assert place(SHIPPED, item) == "elsewhere/conn"


@pytest.mark.parametrize(
    "item",
    [
        manifest("v1", "Secret"),
        manifest("apps/v1", "Deployment", {"compositionRef": {"name": "x"}}),
        manifest("networking.k8s.io/v1", "Ingress", {"forProvider": {"a": 1}}),
        manifest("cert-manager.io/v1", "Certificate", {"secretName": "tls"}),
        manifest("pkg.crossplane.io/v1", "Provider", {"package": "x"}),
    ],
)
def test_other_objects_are_none(item):
    assert SHIPPED.find(item) is None


def test_an_annotation_names_the_secret_of_what_no_rule_knows():
    annotated = {"annotations": {"gitops-wf.io/connection-secret": "conn"}}
    item = manifest("db.example.org/v1", spec={"forProvider": {"a": 1}}, **annotated)

    assert place(SHIPPED, item) == "here/conn"


def test_the_more_exact_rule_holds_and_of_two_the_users():
    rules = CloudRules(
        shipped=[
            CloudRule(group="*.example.org", secret_name='"end"'),
            CloudRule(group="db.example.org", secret_name='"group"'),
            CloudRule(group="db.example.org", kind="SQLInstance", secret_name='"ours"'),
        ],
        users=[
            CloudRule(group="db.example.org", kind="SQLInstance", secret_name='"mine"')
        ],
    )

    assert place(rules, claim()) == "here/mine"
    assert place(rules, manifest("db.example.org/v1", "Queue")) == "here/group"
    assert place(rules, manifest("mq.example.org/v1", "Queue")) == "here/end"


def test_a_user_may_say_that_a_kind_is_none():
    rules = CloudRules(
        shipped=shipped_cloud_rules(),
        users=[
            CloudRule(
                group="db.example.org", kind="SQLInstance", having=("spec.never",)
            )
        ],
    )

    assert rules.find(claim(compositionRef={"name": "small"})) is None


def test_names_choose_by_name_or_by_kind_and_name():
    item = claim(compositionRef={"name": "small"})

    assert CloudChoice(SHIPPED).takes(item)
    assert CloudChoice(SHIPPED, ("db",)).takes(item)
    assert CloudChoice(SHIPPED, ("SQLInstance/db",)).takes(item)
    assert not CloudChoice(SHIPPED, ("Queue/db", "other")).takes(item)


@pytest.mark.parametrize("rule", shipped_cloud_rules(), ids=lambda rule: rule.origin)
def test_a_file_with_a_cloud_resource_is_found_by_its_text(rule):
    texts = [*rule.having] if rule.group == "*" else [rule.group]

    assert all(any(hint in text.encode() for hint in SHIPPED.hints()) for text in texts)
