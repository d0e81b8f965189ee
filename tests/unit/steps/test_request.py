import pytest
from pydantic import ValidationError

from gitops_wf.core.errors import InvalidTransitionError, TerminalError
from gitops_wf.core.phases import Phase
from gitops_wf.core.secret import Secret
from gitops_wf.ports.outbound import HttpResponse
from gitops_wf.steps.request import STEP_TYPE
from tests.steps import CANARY, FakeOutbound, FakeSecrets, a_context, capabilities

URL = "https://ci.example/version"
REF = {"secretRef": {"name": "ci", "key": "token"}}


def attempt(properties, status=200, body=b"{}"):
    outbound = FakeOutbound(HttpResponse(status=status, headers={}, body=body))
    secrets = FakeSecrets({"ci/token": CANARY, "ci/url": f"{URL}/{CANARY}"})
    runner = STEP_TYPE.make(capabilities(outbound=outbound, secrets=secrets))
    return outbound, lambda: runner.attempt(a_context(STEP_TYPE, properties))


def test_a_get_is_what_a_url_alone_asks_for():
    outbound, act = attempt({"url": URL}, body=b'{"version": "1.2"}')

    result = act()

    [sent] = outbound.sent
    assert (sent.method, sent.url, sent.body) == ("GET", URL, b"")
    assert "Content-Type" not in sent.headers
    assert result.phase is Phase.SUCCEEDED
    assert result.outputs["response"]["body"] == {"version": "1.2"}


def test_a_url_may_be_a_secret():
    outbound, act = attempt({"url": {"secretRef": {"name": "ci", "key": "url"}}})

    act()

    assert outbound.sent[0].url == Secret(f"{URL}/{CANARY}")


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"X-Token": REF}},
        {"headersFromSecret": [{"header": "X-Token", "secret": "ci", "key": "token"}]},
        {"body": {"deep": [{"er": REF}]}},
        {"text": REF},
        {"form": {"token": REF}},
    ],
)
def test_no_secret_goes_to_a_host_that_its_grant_does_not_name(more):
    outbound, act = attempt({"url": "https://evil.example/", **more})

    with pytest.raises(TerminalError, match=r"may not be sent to evil\.example"):
        act()

    assert not outbound.sent


def test_a_body_with_a_secret_cannot_be_printed():
    outbound, act = attempt({"url": URL, "body": {"token": REF}})

    act()

    assert CANARY not in repr(outbound.sent)
    assert outbound.sent[0].body == Secret(f'{{"token": "{CANARY}"}}')


def test_a_mapping_with_more_than_a_reference_is_sent_as_it_stands():
    entry = {**REF, "prefix": "DB_"}
    outbound, act = attempt({"url": URL, "body": entry})

    act()

    assert outbound.sent[0].body == (
        b'{"secretRef": {"name": "ci", "key": "token"}, "prefix": "DB_"}'
    )


def test_there_is_nothing_to_look_at():
    with pytest.raises(InvalidTransitionError):
        STEP_TYPE.make(capabilities()).look(a_context(STEP_TYPE, {"url": URL}))


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({}, "url"),
        ({"url": URL, "method": "BREW"}, "method"),
        ({"url": URL, "body": {}, "text": "x"}, "one of body, text and form"),
        ({"url": URL, "timeout": "0s"}, "longer than nothing"),
        ({"url": URL, "expectedStatuses": [20]}, "20 is the status of no answer"),
        ({"url": URL, "headers": {"Host": "x"}}, "set by the connection itself"),
        ({"url": URL, "header": {"Content-Length": "1"}}, "set by the connection"),
        ({"url": URL, "headers": {"A b": "x"}}, "cannot be a header's name"),
        ({"url": URL, "headers": {"A": "x", "a": "y"}}, "there twice"),
        ({"url": URL, "headers": {"A": "x"}, "header": {"a": "y"}}, "there twice"),
        ({"url": URL, "headers": {"A": {"value": "x"}}}, "a secret does not stand"),
        ({"url": URL, "headersFromSecret": [{"header": "A"}]}, "secret"),
    ],
)
def test_what_could_not_be_sent_is_refused_when_it_is_read(properties, says):
    with pytest.raises(ValidationError, match=says):
        STEP_TYPE.properties.model_validate(properties)
