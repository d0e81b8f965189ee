"""`notify-test` on a real receiver."""

import pytest

from tests.receivers import LARK_OK, OK, Reply, http_receiver

CONFIG = """\
repositories:
  shop: {url: ./shop}
targets:
  here: {directory: ./out}
secrets:
  hook: {env: {url: HOOK_URL, any: ANY_URL}, hosts: [127.0.0.1]}
notifications:
  channels:
    ops: {type: slack, url: {secretRef: {name: hook, key: url}}}
    lark: {type: lark, url: {secretRef: {name: hook, key: url}}}
    any: {type: apprise, url: {secretRef: {name: hook, key: any}}}
"""
CANARY = "c4n4ry-t0ken"


@pytest.fixture
def receiver(monkeypatch):
    with http_receiver() as running:
        monkeypatch.setenv("HOOK_URL", f"{running.url}/{CANARY}/hook")
        place = f"127.0.0.1:{running.port}/{CANARY}/hook"
        monkeypatch.setenv("ANY_URL", f"json://{place}")
        yield running


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "gitops-wf.yaml"
    file.write_text(CONFIG)
    return file


def test_a_message_arrives_and_the_answer_is_told(gitops_wf, receiver, config):
    receiver.reply(f"/{CANARY}/hook", Reply(body=b"ok"))

    result = gitops_wf("notify-test", "ops", "--config", config)

    assert result.code == 0, result.err
    assert result.out.startswith("ops: sent")
    assert "A test of this channel" in str(receiver.at(f"/{CANARY}/hook")[0].json)


@pytest.mark.parametrize(
    ("channel", "answer", "says"),
    [
        ("lark", LARK_OK, "lark: sent: Lark answered code 0"),
        ("any", OK, "any: sent: JSON took it"),
    ],
)
def test_each_kind_of_channel_can_be_tried(
    gitops_wf, receiver, config, channel, answer, says
):
    receiver.reply(f"/{CANARY}/hook", answer)

    result = gitops_wf("notify-test", channel, "--config", config)

    assert result.code == 0, result.err
    assert result.out.strip() == says
    assert "A test of this channel" in str(receiver.at(f"/{CANARY}/hook")[0].json)


def test_a_refusal_is_told_with_the_receivers_words(gitops_wf, receiver, config):
    receiver.reply(f"/{CANARY}/hook", Reply(status=404, body=b"no_service"))

    result = gitops_wf("notify-test", "ops", "--config", config)

    assert result.code == 1
    assert "ops: refused" in result.err
    assert "no_service" in result.err
    assert CANARY not in result.err


def test_a_channel_that_is_not_there_is_told_with_those_that_are(gitops_wf, config):
    result = gitops_wf("notify-test", "opps", "--config", config)

    assert result.code == 1
    assert "there are: any, lark, ops" in result.err
