from __future__ import annotations

import pytest

from gitops_wf.sandbox.resources import ResourceTable
from gitops_wf.sandbox.selectors import parse_fields, parse_labels
from gitops_wf.sandbox.statuses import ApiError

TABLE = ResourceTable()


def labelled(**labels: str) -> dict:
    return {"metadata": {"name": "x", "labels": labels}}


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {}, True),
        ("a", {"a": "1"}, True),
        ("a", {}, False),
        ("!a", {}, True),
        ("!a", {"a": "1"}, False),
        ("a=1,b!=2", {"a": "1"}, True),
        ("a=1,b!=2", {"a": "1", "b": "2"}, False),
        ("a in (1, 2)", {"a": "2"}, True),
        ("a in (1, 2)", {}, False),
        ("a notin (1)", {}, True),
        ("a notin (1)", {"a": "1"}, False),
        ("a>1", {"a": "2"}, True),
        ("a>1", {"a": "x"}, False),
        ("a<1", {"a": "0"}, True),
        ("a=", {"a": ""}, True),
    ],
)
def test_a_label_selector_matches_as_kubernetes_does(text, labels, matches):
    assert parse_labels(text).matches(labelled(**labels)) is matches


@pytest.mark.parametrize(
    "text", ["=a", "a in (b", "a b", "a,", "a in b", "a in (b c)", "a>b"]
)
def test_a_malformed_label_selector_is_a_bad_request(text):
    with pytest.raises(ApiError) as refused:
        parse_labels(text)

    assert refused.value.code == 400


def test_a_field_selector_reads_what_its_kind_can_be_selected_by():
    pods = TABLE.named("pods")
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "n"}, "status": {}}

    assert parse_fields("spec.nodeName=n,metadata.name!=q", pods).matches(pod)
    assert parse_fields("status.phase=", pods).matches(pod)
    assert not parse_fields("metadata.name=q", pods).matches(pod)


def test_an_event_is_selected_by_its_source_or_reporter():
    events = TABLE.named("events")
    old = {"metadata": {}, "source": {"component": "c"}}
    new = {"metadata": {}, "source": {}, "reportingComponent": "c"}

    assert parse_fields("source=c", events).matches(old)
    assert parse_fields("source=c", events).matches(new)


def test_a_field_that_a_kind_does_not_offer_is_a_bad_request():
    with pytest.raises(ApiError, match=r'"data\.k" is not a known field selector'):
        parse_fields("data.k=1", TABLE.named("configmaps"))
    with pytest.raises(ApiError, match=r"field label not supported: spec\.nope"):
        parse_fields("spec.nope=1", TABLE.named("pods"))
