"""Rules that let fields differ: which objects they are for, and which fields."""

import pytest

from gitops_wf.core.environment import DRIFT, Drift
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.upkeep.ignoring import (
    IgnoreRule,
    IgnoreTarget,
    ignored_of,
    parse_pointer,
    pointer_text,
)

WEB = ObjectRef(group="apps", kind="Deployment", namespace="shop", name="web-eu")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("/spec/replicas", ("spec", "replicas")),
        ("/metadata/annotations/a.io~1b~0c", ("metadata", "annotations", "a.io/b~c")),
        ("/data/", ("data", "")),
    ],
)
def test_a_pointer_is_taken_apart_and_put_together_as_rfc_6901_says(text, parts):
    assert parse_pointer(text) == parts
    assert pointer_text(parts) == text


@pytest.mark.parametrize("text", ["spec/replicas", "/a~2", "/a~"])
def test_what_is_no_pointer_is_refused(text):
    with pytest.raises(ValueError):
        parse_pointer(text)


@pytest.mark.parametrize(
    ("target", "is_meant"),
    [
        ({}, True),
        ({"kind": "Deployment", "name": "web-*"}, True),
        ({"group": "apps", "namespace": "sh?p"}, True),
        ({"group": ""}, False),
        ({"kind": "Deployment", "name": "api-*"}, False),
        ({"kind": "deployment"}, False),
    ],
)
def test_all_globs_of_a_target_must_match(target, is_meant):
    rule = IgnoreRule(paths=("/spec/replicas",), target=IgnoreTarget(**target))

    ignored = ignored_of(WEB, [rule])

    assert ignored.paths == ((("spec", "replicas"),) if is_meant else ())


def test_the_empty_pointer_is_the_whole_object():
    assert ignored_of(WEB, [IgnoreRule(paths=("",))]).is_whole
    assert not ignored_of(WEB, [IgnoreRule(paths=("/spec",))]).is_whole


def test_managers_are_globs():
    ignored = ignored_of(WEB, [IgnoreRule(managers=("kube-*",))])

    assert ignored.manages("kube-controller-manager")
    assert not ignored.manages("kubectl-edit")


def test_rules_of_the_daemon_config_hold_beside_those_of_the_environment():
    ours, theirs = IgnoreRule(paths=("/a",)), IgnoreRule(paths=("/b",))
    outer = Drift(ignore=(theirs,)).over(DRIFT)

    merged = Drift(self_heal=True, ignore=(ours,)).over(outer)

    assert merged == Drift(
        interval=DRIFT.interval, self_heal=True, ignore=(theirs, ours)
    )
