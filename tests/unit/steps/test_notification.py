import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.message import DeliveryPhase
from gitops_wf.core.phases import Phase
from gitops_wf.steps.notification import STEP_TYPE
from tests.steps import NOW, a_context, a_row, capabilities

URL = {"secretRef": {"name": "hook", "key": "url"}}
SLACK = {"url": URL, "message": {"text": "hi", "attachments": [{"color": "good"}]}}
DING = {
    "url": URL,
    "sign": {"secretRef": {"name": "ding", "key": "sign"}},
    "message": {
        "msgtype": "markdown",
        "markdown": {"title": "t", "text": "x"},
        "at": {"atMobiles": ["138"], "isAtAll": False},
    },
}
EMAIL = {
    "from": {"address": "bot@example.com", "alias": "Bot", "host": "smtp.example"},
    "to": ["ann@example.com"],
    "content": {"subject": "prod", "body": "text"},
}
LARK = {
    "url": URL,
    "sign": {"secretRef": {"name": "lark", "key": "sign"}},
    "message": {"msg_type": "text", "content": {"text": "hi"}},
}
APPRISE = {"url": URL, "message": {"title": "t", "body": "b"}}
ALL = {"slack": SLACK, "dingding": DING, "email": EMAIL}
CHANNELS = {"ops": {"type": "slack", "url": "http://x.y/"}}


def runner():
    return STEP_TYPE.make(capabilities(channels=CHANNELS))


def messages(properties):
    return runner().attempt(a_context(STEP_TYPE, properties)).messages


def look(properties, *phases):
    rows = tuple(
        a_row(message, phase, f"detail of {message.item}")
        for message, phase in zip(messages(properties), phases, strict=False)
    )
    return runner().look(a_context(STEP_TYPE, properties, look=1, deliveries=rows))


SENT, FAILED, PENDING = (
    DeliveryPhase.SENT,
    DeliveryPhase.FAILED,
    DeliveryPhase.PENDING,
)


def test_an_attempt_asks_for_one_message_a_channel_and_looks_again():
    result = runner().attempt(
        a_context(STEP_TYPE, {**ALL, "channels": ["ops"], "text": "hello"})
    )

    assert result.phase is Phase.RUNNING
    assert result.retry_after
    assert [(m.item, m.kind) for m in result.messages] == [
        ("channel/ops", "slack"),
        ("slack", "slack"),
        ("dingding", "dingding"),
        ("email", "email"),
    ]


def test_the_same_attempt_again_asks_for_the_same_messages():
    assert messages(ALL) == messages(ALL)


def test_messages_are_in_the_providers_own_fields_and_hold_references_only():
    slack, ding, mail = messages(ALL)

    assert slack.payload == {"text": "hi", "attachments": [{"color": "good"}]}
    assert slack.channel == {"url": URL}
    assert ding.payload == DING["message"]
    assert ding.channel == {"url": URL, "sign": DING["sign"]}
    assert mail.payload == {"subject": "prod", "body": "text"}
    assert mail.channel["from"]["host"] == "smtp.example"
    assert mail.channel["from"]["port"] == 587
    assert json.dumps([dict(m.channel) | dict(m.payload) for m in (slack, ding, mail)])


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("text", {"content": "x"}),
        ("link", {"title": "t", "text": "x", "messageUrl": "u", "picUrl": "p"}),
        (
            "actionCard",
            {"title": "t", "text": "x", "singleTitle": "s", "singleURL": "u"},
        ),
        (
            "actionCard",
            {
                "title": "t",
                "text": "x",
                "btnOrientation": "0",
                "hideAvatar": "0",
                "btns": [{"title": "b", "actionURL": "u"}],
            },
        ),
        ("feedCard", {"links": [{"title": "t", "messageURL": "u", "picURL": "p"}]}),
    ],
)
def test_each_of_dingtalks_message_types_is_passed_on_with_its_exact_fields(kind, part):
    message = {"msgtype": kind, kind: part}

    [ding] = messages({"dingding": {"url": URL, "message": message}})

    assert ding.payload == message


def test_lark_and_apprise_are_messages_of_their_own():
    lark, apprise = messages({"lark": LARK, "apprise": APPRISE})

    assert (lark.item, lark.kind) == ("lark", "lark")
    assert lark.payload == LARK["message"]
    assert lark.channel == {"url": URL, "sign": LARK["sign"]}
    assert (apprise.item, apprise.kind) == ("apprise", "apprise")
    assert apprise.payload == APPRISE["message"]
    assert apprise.channel == {"url": URL}


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        # KubeVela's, which robots answer with an error where it is sent as it stands.
        (
            {"msg_type": "text", "content": '{"text": "hi"}'},
            {"msg_type": "text", "content": {"text": "hi"}},
        ),
        ({"content": {"text": "x"}}, {"msg_type": "text", "content": {"text": "x"}}),
        (
            {"msg_type": "interactive", "card": {"elements": []}},
            {"msg_type": "interactive", "card": {"elements": []}},
        ),
        (
            {"msg_type": "post", "content": {"post": {"en_us": {"title": "t"}}}},
            {"msg_type": "post", "content": {"post": {"en_us": {"title": "t"}}}},
        ),
    ],
)
def test_larks_content_is_a_map_however_it_was_written(message, sent):
    [lark] = messages({"lark": {"url": URL, "message": message}})

    assert lark.payload == sent


def test_it_succeeds_when_every_channel_is_sent():
    result = look(ALL, SENT, SENT, SENT)

    assert result.phase is Phase.SUCCEEDED
    assert result.message == "3 of 3 sent"
    assert result.outputs["deliveries"]["slack"]["phase"] == "Sent"


def test_it_waits_for_the_channel_that_is_still_tried():
    result = look(ALL, SENT, PENDING, FAILED)

    assert result.phase is Phase.RUNNING
    assert result.message == "dingding: detail of dingding"
    assert result.messages == ()


def test_what_waits_longer_is_looked_at_less_often():
    rows = tuple(a_row(message, PENDING) for message in messages(ALL))
    told = {"look": 1, "deliveries": rows}

    soon = runner().look(a_context(STEP_TYPE, ALL, **told))
    later = runner().look(
        a_context(STEP_TYPE, ALL, now=NOW + timedelta(minutes=2), **told)
    )

    assert soon.retry_after < later.retry_after <= timedelta(seconds=15)


def test_it_fails_naming_the_failed_channel_and_asks_for_nothing_again():
    result = look(ALL, SENT, FAILED, SENT)

    assert (result.phase, result.reason) == (Phase.FAILED, "NotificationFailed")
    assert result.message == "2 of 3 sent; dingding: detail of dingding"
    assert result.is_final
    assert result.messages == ()


def test_a_failure_can_be_ignored_and_is_still_shown():
    result = look({**ALL, "onFailure": "ignore"}, SENT, FAILED, SENT)

    assert result.phase is Phase.SUCCEEDED
    assert "dingding: detail of dingding" in result.message


@pytest.mark.parametrize("phases", [(), (SENT, SENT)])
def test_a_message_without_a_record_is_never_a_success(phases):
    result = look({**ALL, "onFailure": "ignore"}, *phases)

    assert result.phase is Phase.ERRORED
    assert "email" in result.message


def test_a_channel_that_is_not_configured_is_refused_with_those_there_are():
    with pytest.raises(TerminalError, match="there are: ops"):
        messages({"channels": ["opps"], "text": "x"})


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({}, "write one or more of apprise, channels, dingding, email, lark, slack"),
        (
            {"lark": {"url": URL, "message": {"content": "done"}}},
            "write a map, such as {text: done}; text must be JSON of such a map",
        ),
        (
            {"lark": {"url": URL, "message": {"content": '["done"]'}}},
            "text must be JSON of such a map",
        ),
        (
            {"lark": {"url": URL, "message": {"msg_type": "interactive"}}},
            "msg_type interactive has card: and no content: to send",
        ),
        (
            {"lark": {**LARK, "message": {**LARK["message"], "card": {}}}},
            "msg_type text has content: and no card: to send",
        ),
        (
            {"lark": {**LARK, "sign": "plain"}},
            "a secret does not stand in Git; write {secretRef: {name, key}}",
        ),
        (
            {"apprise": {**APPRISE, "url": "tgram://token/chat"}},
            "a secret does not stand in Git",
        ),
        ({"apprise": {"url": URL, "message": {"title": "t"}}}, "body"),
        ({"channels": ["ops"]}, "channels need a text"),
        ({"channels": ["ops", "ops"], "text": "x"}, "twice"),
        ({"slack": {**SLACK, "url": {}}}, "either value or secretRef"),
        ({"slack": {**SLACK, "message": {}}}, "text"),
        (
            {"slack": {**SLACK, "message": {"text": "x", "attachments": {}}}},
            "valid list",
        ),
        ({"slack": SLACK, "slak": SLACK}, "Extra inputs"),
        (
            {"dingding": {"url": URL, "message": {"msgtype": "link"}}},
            "msgtype is link, but there is no link: to send",
        ),
        (
            {"dingding": {**DING, "sign": {"value": "SECplain"}}},
            "a secret does not stand in Git; write {secretRef: {name, key}}",
        ),
        (
            {"email": {**EMAIL, "from": {**EMAIL["from"], "password": "p4ss"}}},
            "a secret does not stand in Git",
        ),
        ({"email": {**EMAIL, "to": []}}, "at least 1"),
        ({"email": {**EMAIL, "content": {"subject": "s"}}}, "write body"),
    ],
)
def test_wrong_properties_get_an_error_that_says_what_is_right(properties, says):
    with pytest.raises(ValidationError) as caught:
        STEP_TYPE.properties.model_validate(properties)

    text = "; ".join(error["msg"] for error in caught.value.errors()) + str(
        [error["loc"] for error in caught.value.errors()]
    )
    assert says in text


def test_every_property_is_described_in_the_schema():
    schema = STEP_TYPE.properties.model_json_schema()

    for model in (schema, *schema["$defs"].values()):
        for name, field in model.get("properties", {}).items():
            assert field.get("description"), name
