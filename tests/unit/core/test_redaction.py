import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_wf.core.errors import cut
from gitops_wf.core.redaction import SHORTEST, Redactor, redact
from gitops_wf.core.secret import MASK, Secret
from tests.encodings import encodings

URL = Secret("https://hooks.slack.com/services/T01234567/tok3n-abc?key=q-secret")


@pytest.mark.parametrize(
    "text",
    [
        "POST https://hooks.slack.com/services/T01234567/tok3n-abc?key=q-secret",
        "no route /services/T01234567/tok3n-abc",
        "token tok3n-abc is unknown",
        "key q-secret is wrong",
        '{"path": "\\/services\\/T01234567\\/tok3n-abc"}',
    ],
)
def test_a_secret_url_is_masked_whole_and_in_pieces(text):
    shown = redact(text, [URL])

    assert "tok3n-abc" not in shown
    assert "q-secret" not in shown
    assert "***" in shown


def test_the_token_of_a_bearer_header_is_masked_alone():
    assert redact("bad token abcdefgh", [Secret("Bearer abcdefgh")]) == "bad token ***"


def test_other_text_stays():
    assert redact("invalid_payload for key", [URL]) == "invalid_payload for key"


@given(
    value=st.text(st.characters(codec="utf-8"), min_size=SHORTEST, max_size=40),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_a_value_is_masked_in_every_encoding_whatever_stands_around(
    value, before, after
):
    redactor = Redactor([Secret(value)])

    for form, encoded in encodings(value).items():
        if len(encoded) < SHORTEST:
            continue
        shown = redactor.text(f"{before}{encoded}{after}")
        assert encoded not in shown or encoded in f"{before}{MASK}{after}", form


@given(value=st.text(max_size=SHORTEST - 1), text=st.text())
def test_a_short_or_empty_value_masks_nothing(value, text):
    assert Redactor([Secret(value)]).text(text) == Redactor().text(text)


@pytest.mark.parametrize("user", ["u", "us", "use", "deploy"])
def test_the_header_of_http_basic_is_masked_whoever_the_user_is(user):
    redactor = Redactor([Secret("correct-horse")])
    token = base64.b64encode(f"{user}:correct-horse".encode()).decode()

    assert token not in redactor.text(f"sent {token} to it")


def test_the_beginning_of_a_value_that_a_text_was_cut_in_is_masked():
    redactor = Redactor([Secret("correct-horse-battery")])

    assert redactor.text(cut("it is correct-horse-battery", 20)) == "it is ***…"
    assert redactor.text("it is correct-ho") == "it is ***"
    assert redactor.text("it is correct-hose, green") == "it is correct-hose, green"


def test_values_that_overlap_are_masked_as_one():
    redactor = Redactor([Secret("abcdefgh"), Secret("efghijkl"), Secret("abcdefghij")])

    assert redactor.text("-abcdefghijkl-abcdefgh") == "-***-***"


def test_each_line_of_a_key_is_masked_but_its_frame():
    key = (
        "-----BEGIN KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vb\nAAAAMwAAAAtzc2gtZWQyNTUx\n"
    )
    redactor = Redactor([Secret(key)])

    assert redactor.text("no: AAAAMwAAAAtzc2gtZWQyNTUx") == "no: ***"
    assert redactor.text("-----BEGIN KEY----- is") == "-----BEGIN KEY----- is"


def test_what_was_rotated_stays_known():
    redactor = Redactor([Secret("the-old-one")])
    redactor.learn(Secret("the-new-one"))

    assert redactor.text("the-old-one the-new-one") == "*** ***"


def test_of_a_kubernetes_secret_plain_words_stay_and_the_rest_is_masked():
    redactor = Redactor()
    redactor.learn_object(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "stringData": {"user": "postgres", "password": "pa55-word"},
            "data": {"token": base64.b64encode(b"t0ken-in-data").decode()},
        }
    )
    redactor.learn_object(
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "not-a-s3cret"}}
    )

    text = "postgres pa55-word t0ken-in-data not-a-s3cret"
    assert redactor.text(text) == "postgres *** *** not-a-s3cret"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://bot:hunter2@git.example/x", "at https://***@git.example/x"),
        ("at https://ghp_abc@git.example/x", "at https://***@git.example/x"),
        ("ssh://git@git.example/x", "ssh://git@git.example/x"),
        ("postgresql://u:p@db/x", "postgresql://***@db/x"),
        ("/send?access_token=ab12&x=1", "/send?access_token=***&x=1"),
        ("Authorization: Bearer ab12", "Authorization: Bearer ***"),
        ('{"authorization": "Basic dTpw"}', '{"authorization": "Basic ***"}'),
        (
            'kubectl.kubernetes.io/last-applied-configuration: {"data":{"a":"b"}}',
            "kubectl.kubernetes.io/last-applied-configuration: ***",
        ),
        (
            '{"kubectl.kubernetes.io/last-applied-configuration":"{\\"a\\":\\"b\\"}"}',
            '{"kubectl.kubernetes.io/last-applied-configuration":***}',
        ),
        ("see https://example.com/a@b: no key=value", None),
    ],
)
def test_what_has_the_shape_of_a_credential_is_masked_though_nobody_knows_it(
    text, shown
):
    assert Redactor().text(text) == (text if shown is None else shown)


def test_plain_data_is_masked_in_values_and_keys_and_keeps_its_types():
    redactor = Redactor([Secret("correct-horse")])

    assert redactor.value({"correct-horse": [1, None, ("x correct-horse",)]}) == {
        "***": [1, None, ("x ***",)]
    }
