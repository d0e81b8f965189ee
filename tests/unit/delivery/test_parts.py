"""Selectors, names, order, digests, inventories and prune rules: the pure parts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.inventory import Inventory, InventoryEntry, ObjectRef
from gitops_wf.core.secret import Secret
from gitops_wf.delivery.digest import digest_of
from gitops_wf.delivery.inventories import Writer, decode, encode, merged
from gitops_wf.delivery.names import ENVIRONMENT_LABEL, inventory_name, label_value
from gitops_wf.delivery.ordering import prune_waves, stages
from gitops_wf.delivery.pruning import kept_because, left_behind
from gitops_wf.delivery.rendering import Desired
from gitops_wf.delivery.selector import Selector

PROD = EnvironmentId("shop/prod")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ref(kind="ConfigMap", name="a", group="", namespace="ns"):
    return ObjectRef(group=group, kind=kind, namespace=namespace, name=name)


def entry(name="a", step="deploy", **fields):
    return InventoryEntry(ref=ref(name=name, **fields), version="v1", step=step)


def desired(kind, name="a"):
    manifest = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
    return Desired(ref=ObjectRef.of(manifest), manifest=manifest, path="a.yaml", line=3)


@pytest.mark.parametrize(
    ("text", "labels", "selected"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a in (b, c),d", {"a": "c", "d": "1"}, True),
        ("a in (b, c),d", {"a": "c"}, False),
        ("a notin (b,c)", {"a": "b"}, False),
        ("a notin (b,c)", {}, True),
    ],
)
def test_selectors_select_as_kubectl_s_do(text, labels, selected):
    assert Selector.parse(text).matches(labels) is selected


@pytest.mark.parametrize("text", ["a b", "a=(b)", "in (a)", "a in b", "="])
def test_what_is_no_selector_is_named(text):
    with pytest.raises(ValueError, match="is no label selector: write"):
        Selector.parse(text)


def test_an_environment_s_label_can_be_read_back():
    assert label_value(PROD) == "shop.prod"
    assert label_value(EnvironmentId("shop/eu/prod")) == "shop.eu.prod"
    assert inventory_name(PROD) == "gitops-wf.shop.prod"


IDS = st.text("abAB0-._/é ", min_size=1, max_size=90).map(EnvironmentId)


@given(IDS, IDS)
def test_names_are_valid_and_never_shared(first, second):
    value = label_value(first)

    assert len(value) <= 63
    assert value[0].isalnum()
    assert value[-1].isalnum()
    assert set(value) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert ".." not in value
    assert (value == label_value(second)) is (first == second)


def test_what_others_need_is_applied_first_and_webhooks_last():
    kinds = [
        "ValidatingWebhookConfiguration",
        "Deployment",
        "ConfigMap",
        "StorageClass",
        "Namespace",
        "Widget",
        "CustomResourceDefinition",
        "Service",
    ]

    found = [
        [item.ref.kind for item in group]
        for group in stages([desired(kind) for kind in kinds])
    ]

    assert found == [
        ["CustomResourceDefinition", "Namespace"],
        ["StorageClass"],
        ["ConfigMap", "Service"],
        ["Deployment", "Widget"],
        ["ValidatingWebhookConfiguration"],
    ]


def test_a_prune_goes_the_other_way():
    live = {"metadata": {}}
    kinds = ["Namespace", "Deployment", "ConfigMap", "ValidatingWebhookConfiguration"]

    found = prune_waves({ref(kind): live for kind in kinds})

    assert [[each.kind for each in wave] for wave in found] == [
        ["ValidatingWebhookConfiguration"],
        ["Deployment", "ConfigMap"],
        ["Namespace"],
    ]


def test_a_prune_goes_by_the_waves_that_the_live_objects_name():
    def live(**annotations):
        names = {f"argocd.argoproj.io/{key}": v for key, v in annotations.items()}
        return {"metadata": {"annotations": names}}

    wave = {"sync-wave": "5"}
    found = prune_waves(
        {
            ref("Namespace", "n"): live(**wave),
            ref(name="before"): live(hook="PreSync"),
            ref(name="zeroth"): live(),
            ref("Deployment", "late"): live(**wave),
            ref(name="late"): live(**wave),
            ref(name="odd"): live(**{"sync-wave": "soon"}),
            ref(name="after"): live(hook="PostSync"),
        }
    )

    assert [[f"{each.kind} {each.name}" for each in wave] for wave in found] == [
        ["ConfigMap after"],
        ["Deployment late", "ConfigMap late"],
        ["ConfigMap zeroth", "ConfigMap odd"],
        ["ConfigMap before"],
        ["Namespace n"],
    ]


def secret(value="djE="):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"k": value},
    }


def test_a_digest_knows_content_not_order_and_keys_secret_values():
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    key, other = Secret("1"), Secret("2")

    assert digest_of([config, secret()], key) == digest_of([secret(), config], key)
    assert digest_of([secret()], key) != digest_of([secret("djI=")], key)
    assert digest_of([secret()], key) != digest_of([secret()], other)
    assert digest_of([config], key) == digest_of([config], other)


def test_an_inventory_is_read_as_it_was_written():
    old = Inventory(
        entries=merged(
            [entry("a"), entry("b")],
            [entry("b", "other"), entry("x", kind="Role", group="rbac", namespace="")],
        ),
        instance="one",
        written=NOW,
        number=4,
        commit="abc",
        completed={"deploy": "d1"},
    )

    data = encode(old, PROD, Writer(instance="one", now=NOW))

    assert decode(data, PROD, "here") == old


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"objects": "{"}, "cannot be read as an inventory"),
        ({"objects": '{"s": ["v1 ConfigMap"]}'}, "cannot be read as an inventory"),
        ({"number": "x"}, "cannot be read as an inventory"),
        ({"environment": "shop/other"}, "of environment shop/other, not shop/prod"),
    ],
)
def test_an_inventory_that_was_edited_stops_everything(change, error):
    data = encode(Inventory(), PROD, Writer(instance="one", now=NOW)) | change

    with pytest.raises(TerminalError, match=error):
        decode(data, PROD, "ConfigMap/ns/x")


def test_completed_inputs_count_only_where_every_owner_agrees():
    both = (entry("a", "one"), entry("b", "two"))

    assert Inventory(entries=both, completed={"one": "d", "two": "d"}).inputs == "d"
    assert Inventory(entries=both, completed={"one": "d"}).inputs == ""
    assert Inventory(entries=both, completed={"one": "d", "two": "e"}).inputs == ""
    assert Inventory().inputs == ""


def test_only_this_step_s_objects_are_left_behind():
    old = Inventory(entries=(entry("a"), entry("b"), entry("c", "other")))

    gone = left_behind(old, [ref(name="a")], steps=["deploy"], allow_empty=False)

    assert gone == (entry("b"),)


def test_nothing_wanted_deletes_nothing_unless_that_is_meant():
    old = Inventory(entries=(entry("a"),))

    with pytest.raises(TerminalError, match="all 1 objects would be deleted"):
        left_behind(old, [], steps=["deploy"], allow_empty=False)
    assert left_behind(old, [], steps=["deploy"], allow_empty=True) == (entry("a"),)
    assert left_behind(Inventory(), [], steps=["deploy"], allow_empty=False) == ()


def live(labels=None, **annotations):
    return {
        "metadata": {
            "labels": {ENVIRONMENT_LABEL: "shop.prod"} if labels is None else labels,
            "annotations": {
                key.replace("__", "/").replace("_", "."): value
                for key, value in annotations.items()
            },
        }
    }


CRD = ("CustomResourceDefinition", "apiextensions.k8s.io")


@pytest.mark.parametrize(
    ("kind", "group", "manifest", "why"),
    [
        ("ConfigMap", "", live(), ""),
        ("Namespace", "", live(), "a Namespace is deleted only with the annotation"),
        ("PersistentVolumeClaim", "", live(), "deleted only with"),
        (*CRD, live(), "deleted only with"),
        ("Namespace", "", live(**{"gitops-wf_io__prune": "allowed"}), ""),
        ("Namespace", "other.io", live(), ""),
        ("ConfigMap", "", live(**{"gitops-wf_io__prune": "disabled"}), "prune"),
        ("ConfigMap", "", live({}), "was removed"),
    ],
)
def test_what_may_not_be_pruned_says_why(kind, group, manifest, why):
    found = kept_because(ref(kind, group=group), manifest)

    assert (why in found) if why else not found
