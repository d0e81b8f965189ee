"""Secrets of the daemon config: found, granted, or refused without a trace."""

import pytest

from gitops_wf.adapters.config_secrets import ConfigSecrets
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.grants import SecretGrant
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.secret import Secret
from gitops_wf.ports.secrets import SecretRef

CANARY = "c4n4ry-value"
PROD = EnvironmentId("shop/prod")


def secrets(**source):
    grant = SecretGrant(
        name="slack", environments=("shop/*",), hosts=("*.slack.com",), **source
    )
    return ConfigSecrets([grant], environ={"SLACK": CANARY, "EMPTY": ""})


def ref(key=""):
    return SecretRef(name="slack", key=key)


@pytest.mark.parametrize("key", ["", "url"])
def test_a_variable_is_read_by_its_key(key):
    assert secrets(env={key: "SLACK"}).resolve(ref(key), environment=PROD) == Secret(
        CANARY
    )


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("whole", f"{CANARY}\n", ""),
        ("map.yaml", f"url: {CANARY}\n", "url"),
        ("map.json", f'{{"url": "{CANARY}"}}', "url"),
    ],
)
def test_a_file_is_read_whole_or_by_key(tmp_path, name, text, key):
    path = tmp_path / name
    path.write_text(text)

    value = secrets(file=str(path)).resolve(ref(key), environment=PROD)

    assert value == Secret(CANARY)


def test_a_folder_has_a_file_for_each_key_and_is_read_anew_each_time(tmp_path):
    (tmp_path / "url").write_text("old\n")
    mounted = secrets(file=str(tmp_path))
    assert mounted.resolve(ref("url"), environment=PROD) == Secret("old")

    (tmp_path / "url").write_text(f"{CANARY}\n")

    assert mounted.resolve(ref("url"), environment=PROD) == Secret(CANARY)


def test_another_environment_gets_the_same_answer_as_for_a_secret_that_is_not_there():
    other = EnvironmentId("blog/prod")
    with pytest.raises(TerminalError) as granted:
        secrets(env={"": "SLACK"}).resolve(ref(), environment=other)
    with pytest.raises(TerminalError) as missing:
        ConfigSecrets([], environ={}).resolve(ref(), environment=other)

    assert granted.value.reason == missing.value.reason == "SecretNotGranted"
    assert str(granted.value) == str(missing.value)


def test_the_daemon_itself_needs_no_grant():
    value = secrets(env={"": "SLACK"}).resolve(ref(), environment=None)

    assert value == Secret(CANARY)


def test_a_secret_may_be_sent_to_its_hosts_only():
    some = secrets(env={"": "SLACK"})

    assert some.may_be_sent_to(ref(), "hooks.slack.com")
    assert not some.may_be_sent_to(ref(), "evil.example")
    assert not some.may_be_sent_to(SecretRef(name="other"), "hooks.slack.com")


@pytest.mark.parametrize(
    ("source", "key", "says"),
    [
        ({"env": {"": "GONE"}}, "", "variable GONE of the daemon is not set"),
        ({"env": {"": "EMPTY"}}, "", "it is empty"),
        ({"env": {"url": "SLACK"}}, "sign", "its keys: url"),
        ({"file": "missing"}, "", "there is no file"),
        ({"file": "."}, "../map.yaml", "plain name of a file"),
        ({"file": "map.yaml"}, "sign", "has no such key"),
        ({"file": "map.yaml"}, "number", "put it in quotes"),
        ({"file": "broken.yaml"}, "url", "no YAML or JSON mapping"),
        ({"file": "large"}, "", "larger than 64 KiB"),
        ({"file": "binary"}, "", "not UTF-8"),
    ],
)
def test_what_is_not_there_gets_an_error_that_says_why_and_shows_no_value(
    tmp_path, monkeypatch, source, key, says
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "map.yaml").write_text(f"url: {CANARY}\nnumber: 1\n")
    (tmp_path / "broken.yaml").write_text(f"url: [{CANARY}")
    (tmp_path / "large").write_text(CANARY * 9000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe" + CANARY.encode())

    with pytest.raises(TerminalError, match=says) as caught:
        secrets(**source).resolve(ref(key), environment=PROD)

    assert caught.value.reason == "SecretNotFound"
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or not isinstance(
        caught.value.__context__, UnicodeDecodeError
    )
