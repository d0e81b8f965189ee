import pytest

from gitops_wf.core.redaction import redact
from gitops_wf.core.secret import Secret

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
