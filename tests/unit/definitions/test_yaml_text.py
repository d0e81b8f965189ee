"""YAML is read within caps, with the place of everything, and nothing acts."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_wf.core.errors import DefinitionError
from gitops_wf.definitions.yaml_text import (
    MANIFEST_LIMITS,
    Limits,
    read_documents,
    read_manifests,
)


def own(text: str):
    (document,) = read_documents(text.encode(), "a.yaml")
    return document.value


def manifest(text: str):
    (document,) = read_manifests("a.yaml", text.encode())
    return document.manifest


def refused(text: str | bytes, read=read_documents) -> str:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(DefinitionError) as caught:
        read("a.yaml", data) if read is read_manifests else read(data, "a.yaml")
    return str(caught.value)


def test_every_key_and_item_knows_its_line():
    value = own("# comment\na: 1\nb:\n  - x\n  - c: {d: 1,\n      e: 2}\n")

    assert value.lines == {"a": 2, "b": 3}
    assert value["b"].lines == [4, 5]
    assert value["b"][1]["c"].lines == {"d": 5, "e": 6}


@pytest.mark.parametrize("text", ["0123456", "1234567890", "12e45678", "1_000", "0x12"])
def test_a_commit_that_looks_like_a_number_keeps_its_text(text):
    value = own(f"revision: {text}")["revision"]

    assert getattr(value, "text", value) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("on", "on"), ("y", "y"), ("true", True), ("False", False),
        ("0777", 777), ("0o17", 15), ("0x1F", 31), ("1.5", 1.5), ("1e3", 1000.0),
        ("~", None), ("", None), ("null", None), ("2026-01-02", "2026-01-02"),
        ("'1'", "1"), ('"true"', "true"), ("!!str 1", "1"), ("!!int 3", 3),
        ("1:30", "1:30"), ("-", None),
    ],
)  # fmt: skip
def test_our_files_follow_yaml_1_2(text, value):
    if text == "-":
        assert own("a:\n  -")["a"] == [None]
    else:
        assert own(f"a: {text}")["a"] == value


def test_on_is_a_key_in_our_files():
    assert own("on: [failed]\nno: 1") == {"on": ["failed"], "no": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True), ("y", True), ("n", False), ("Off", False), ("on", True),
        ("0777", 511), ("0o17", 15), ("1_000", 1000), ("0b11", 3), ("1.0", 1),
        ("1e3", 1000), ("1.5", 1.5), ("12e45678", "12e45678"), ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"), ("'yes'", "yes"), ("64Mi", "64Mi"),
        ("18446744073709551615", 18446744073709551615), ("-0x10", -16), ("08", 8),
        ("0.0.1", "0.0.1"), ("+1", 1), (".5", 0.5), ("=", "="),
    ],
)  # fmt: skip
def test_manifests_are_read_as_kubernetes_does(text, value):
    got = manifest(f"a: {text}")["a"]

    assert (got, type(got)) == (value, type(value))


def test_keys_of_manifests_become_strings_as_in_kubernetes():
    assert manifest("on: a\n1: b\n'y': c\n0x10: d\n") == {
        "true": "a", "1": "b", "y": "c", "16": "d",
    }  # fmt: skip


def test_merge_keys_are_carried_out():
    text = (
        "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\n"
        "one: {<<: *base, b: 9}\nall:\n  <<: [*base, *more]\n  d: 5\n"
    )

    value = manifest(text)

    assert value["one"] == {"a": 1, "b": 9}
    assert value["all"] == {"a": 1, "b": 2, "c": 4, "d": 5}


def test_documents_of_a_file_know_where_they_begin():
    documents = read_manifests(
        "a.yaml", b"---\n# nothing\n---\na: 1\n---\n\nb: 2\n...\n"
    )

    assert [(d.line, d.manifest) for d in documents] == [(4, {"a": 1}), (7, {"b": 2})]


def test_a_json_file_is_read_too():
    assert manifest('{"kind": "X", "items": [1, true, null, "no"]}') == {
        "kind": "X", "items": [1, True, None, "no"],
    }  # fmt: skip


def test_the_text_of_a_block_keeps_its_lines():
    assert manifest("a: |\n  yes\n  no\nb: >-\n  x\n  y\n") == {
        "a": "yes\nno\n",
        "b": "x y",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("if: !revision.rollback\n", "a.yaml:1: `!revision.rollback` is a YAML tag, and none are accepted; put an expression that begins with ! in quotes: '!revision.rollback'"),
        ("a: 1\nif: !x && y\n", "a.yaml:2: is no valid YAML: "),
        ("a: !!python/object/apply:os.system [x]", "a.yaml:1: `!!python/object/apply:os.system` is a YAML tag"),
        ("a: !!binary aGk=", "a.yaml:1: `!!binary` is a YAML tag"),
        ("a: !!int x", "a.yaml:1: `x` is no int"),
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: `a` stands here a second time"),
        ("a: {x: 1, x: 2}", "a.yaml:1: `x` stands here a second time"),
        ("? [a, b]\n: 1", "a.yaml:1: a key must be text, not a map or a list"),
        ("a: &x 1\n*x : 2", "a.yaml:2: a key must be written out, not an alias"),
        ("a: *b", "a.yaml:1: the alias `*b` names nothing that is complete before it"),
        ("a: &a [*a]", "a.yaml:1: the alias `*a` names nothing that is complete before it"),
        ("a:\n\t- b", "indent with spaces, not tabs"),
        ("a: b: c", "a.yaml:1: is no valid YAML: mapping values are not allowed in this context; put text that holds `: ` in quotes"),
        ("a: [1", "is no valid YAML"),
        ("a: 'x", "is no valid YAML"),
        ("<<: 3", "a.yaml:1: `<<` takes a map or a list of maps"),
        ('a: "x\\0y"', "a.yaml:1: a text holds a NUL character"),
        (b"a: \xff\xfe", "is no valid YAML"),
        (b"a: \x07", "is no valid YAML"),
        ("[" * 60 + "]" * 60, "a.yaml:1: is nested deeper than 50"),
        ("---\na: 1\n" * 101, "a.yaml:201: has more than 100 documents"),
        ("---\n" * 101, "has more than 100 documents"),
        ("a: &a 1\nb: [" + "*a," * 101 + "]", "has more than 100 aliases"),
        ("a: [" + "1," * 100_001 + "]", "holds more than 100,000 values"),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_what_is_refused_names_the_line_and_the_mend(text, message):
    assert message in refused(text)


def test_an_unquoted_negation_is_explained_where_yaml_fails_on_it():
    assert "put an expression that begins with ! in quotes" in refused("if: !x && y\n")


def test_a_large_file_is_refused_unread():
    assert refused(b"\xff" * 50_000_000) == (
        "a.yaml: has 50,000,000 bytes; at most 1,048,576 are read: split the file"
    )
    assert "at most 8,388,608" in refused(b"\xff" * 50_000_000, read_manifests)


@pytest.mark.parametrize("read", [read_documents, read_manifests])
def test_a_bomb_of_aliases_is_refused(read):
    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    levels += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]

    assert "aliases repeat theirs" in refused("\n".join(levels), read)


def test_a_bomb_of_merges_is_refused():
    limits = Limits(size=10_000, documents=1, nodes=1000, depth=20, aliases=1000)
    keys = ", ".join(f"k{n}: 1" for n in range(50))
    text = f"a: &a {{{keys}}}\nb:\n" + "  - {<<: *a}\n" * 50

    with pytest.raises(DefinitionError, match="more than 1,000 values"):
        read_documents(text.encode(), "a.yaml", limits)


def test_a_manifest_that_is_no_map_is_refused_by_line():
    assert refused("a: 1\n---\n- b\n", read_manifests) == (
        "a.yaml:3: a manifest is a map with apiVersion, kind and metadata, not a list"
    )


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_a_definition_error(data):
    for read in (
        lambda: read_documents(data, "a.yaml"),
        lambda: read_manifests("a.yaml", data),
    ):
        try:
            read()
        except DefinitionError:
            continue


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(
        st.characters(exclude_categories=("Cs", "Cc")), max_size=12
    ),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(categories=("L",)), max_size=6), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(PLAIN.filter(lambda value: value is not None))
def test_what_pyyaml_writes_is_read_back(value):
    # Quoted as JSON is, since the two versions of YAML differ on plain text.
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True)

    (document,) = read_documents(text.encode(), "a.yaml", MANIFEST_LIMITS)

    assert document.value == value
