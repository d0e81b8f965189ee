"""Whatever stands in a file, reading it gives a value or a DefinitionError.

`GITOPS_WF_FUZZ=10000` runs that many other examples of each, instead of the same few.
"""

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_wf.core.errors import DefinitionError
from gitops_wf.definitions.daemon import read_daemon_config
from gitops_wf.definitions.decisions import read_decisions
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.delivery.choosing import Part
from gitops_wf.delivery.rendering import desired_objects, read_sources
from gitops_wf.ports.cluster import AllowList
from gitops_wf.ports.content import File
from tests.definitions import read

VALID = Path(__file__).parents[2] / "data" / "definitions" / "valid"
FILES = {
    "environment.yaml": (VALID / "envs/prod/environment.yaml").read_bytes(),
    "workflow.yaml": (VALID / "envs/full/workflow.yaml").read_bytes(),
    "approvals.yaml": (VALID / "envs/prod/approvals.yaml").read_bytes(),
    "gitops-wf.yaml": (VALID / "gitops-wf.yaml").read_bytes(),
}
MANIFEST = b"""\
apiVersion: v1
kind: List
items:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web, namespace: shop, labels: {app: "1"}, annotations: {a: b}}
    spec: {replicas: 3, template: &t {spec: {containers: [{name: web, image: "a:1"}]}}}
---
apiVersion: v1
kind: Secret
metadata:
  name: token
stringData: {key: value}
data: {other: dmFsdWU=}
---
apiVersion: v1
kind: ConfigMapList
items: [{metadata: {name: one}, data: {a: "1"}}]
"""
PIECES = [
    b"", b"null", b"~", b"1", b"-1", b"1e999", b".nan", b"true", b"[]", b"{}", b"x: y",
    b"[[[]]]", b"{a: {b: {c: d}}}", b"'${{ x'", b"${{ outputs.x.y }}", b"!x", b"&a", b"*a",
    b"\xff", b"\x00", b"\t", b"- ", b": ", b"#", b"|\n", b"? ", b"deploy", b"always",
    b"2026-01-01", b"99999999999999999999999", b"\xe2\x80\xa8", b"a" * 300,
]  # fmt: skip


def outcomes(name: str, data: bytes):
    if name == "approvals.yaml":
        return read_decisions({name: data})
    if name == "gitops-wf.yaml":
        outcome = read_daemon_config(data, "/etc/gitops-wf.yaml")
        return outcome if isinstance(outcome, tuple) else ()
    return read({name: data}).problems


def check(name: str, data: bytes):
    for one in outcomes(name, data):
        if isinstance(one, DefinitionError):
            assert "\n" not in str(one)
            assert len(one.message) < 1500


@st.composite
def mutated(draw):
    name = draw(st.sampled_from(sorted(FILES)))
    return name, draw(changed(FILES[name]))


@st.composite
def changed(draw, data: bytes, least: int = 1):
    """A text in which pieces are replaced, put in, or left out."""
    for _ in range(draw(st.integers(least, 4))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 25))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=6))
        data = data[:start] + piece + data[start + length :]
    return data


@st.composite
def retyped(draw):
    """A valid file in which the value of a key is another."""
    name = draw(st.sampled_from(sorted(FILES)))
    lines = FILES[name].split(b"\n")
    number = draw(st.integers(0, len(lines) - 1))
    key, colon, _ = lines[number].partition(b": ")
    lines[number] = key + colon + draw(st.sampled_from(PIECES))
    return name, b"\n".join(lines)


def fuzz(few: int):
    more = os.environ.get("GITOPS_WF_FUZZ")
    return settings(
        max_examples=int(more or few), deadline=None, derandomize=more is None
    )


@fuzz(150)
@given(st.sampled_from(sorted(FILES)), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(name, data):
    check(name, data)


@fuzz(300)
@given(mutated())
def test_any_mutation_is_read_or_refused(case):
    check(*case)


@fuzz(300)
@given(retyped())
def test_any_value_is_read_or_refused(case):
    check(*case)


@fuzz(300)
@given(changed(MANIFEST) | st.binary(max_size=300))
def test_any_manifest_is_rendered_or_refused(data):
    error, objects = None, ()
    try:
        sources = read_sources([File(path="web.yaml", data=data)], read_manifests)
        objects = desired_objects(
            sources,
            namespace="shop",
            allowed=AllowList(namespaces=("shop",), kinds=("Secret", "ConfigMap")),
            is_namespaced=lambda *_: True,
            part=Part(),
            labels={"a": "b"},
        )
    except DefinitionError as refused:
        error = refused

    assert all(each.ref.name and each.ref.kind for each in objects)
    if error is not None:
        assert "\n" not in str(error)
        assert len(error.message) < 1500
