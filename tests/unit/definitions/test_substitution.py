"""Variables of manifests, filled in as Flux does, with the types that people mean."""

import pytest

from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.substitution import Variables
from gitops_wf.definitions.yaml_text import read_manifests

VALUES = Variables(
    {
        "n": "3",
        "on": "true",
        "host": "eu.example.com",
        "hash": "# no comment",
        "x": "${n}",
    },
    "environment.yaml",
)


def read(text: str, variables: Variables | None = VALUES):
    (document,) = read_manifests("envs/prod/web.yaml", text.encode(), variables)
    return document.manifest


def test_an_unquoted_value_gets_the_type_that_it_would_have_had():
    assert read("a: ${n}\nb: '${n}'\nc: \"${n}\"\nd: ${on}\ne: x-${n}\n") == {
        "a": 3,
        "b": "3",
        "c": "3",
        "d": True,
        "e": "x-3",
    }


def test_keys_and_blocks_are_filled_in_too():
    assert read("${host}: |\n  server ${host};\n  port ${n};\n") == {
        "eu.example.com": "server eu.example.com;\nport 3;\n"
    }


def test_a_value_is_text_and_never_yaml():
    assert read("a: ${hash}\nb: 1\n") == {"a": "# no comment", "b": 1}
    assert read("a: ${x}\n") == {"a": "${n}"}


def test_defaults_and_escapes_are_flux_s():
    text = "a: ${none:-5}\nb: ${none:=x:y}\nc: $${n}\nd: $n\ne: ${none:-}\n"

    assert read(text) == {"a": 5, "b": "x:y", "c": "${n}", "d": "$n", "e": None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: ${nope}\n", "${nope} has no value: give it one in environment.yaml"),
        ("a: 1\nb: ${n-1}\n", "${n-1} is no variable"),
        ("a: 1\nb: '${}'\n", "${} is no variable"),
    ],
)
def test_what_has_no_value_is_an_error_with_its_line(text, words):
    with pytest.raises(DefinitionError) as caught:
        read(text)

    assert str(caught.value).startswith("envs/prod/web.yaml:2: ")
    assert words in str(caught.value)


def test_nothing_is_filled_in_without_variables_or_where_an_object_forbids_it():
    assert read("a: ${nope}\n", None) == {"a": "${nope}"}
    for place in ("annotations", "labels"):
        for mark in ("gitops-wf.io", "kustomize.toolkit.fluxcd.io"):
            text = (
                f"metadata: {{{place}: {{{mark}/substitute: disabled}}}}\n"
                "a: ${nope}\n---\na: ${n}\n"
            )
            first, second = read_manifests("web.yaml", text.encode(), VALUES)
            assert first.manifest["a"] == "${nope}"
            assert second.manifest["a"] == 3
