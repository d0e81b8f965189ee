"""What the daemon config says of how much is kept."""

from datetime import timedelta

import pytest

from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.retention import Retention
from gitops_wf.definitions.daemon import read_daemon_config

HEAD = "repositories: {shop: {url: /srv/shop.git}}\n"


def read(retention: str):
    data = f"{HEAD}retention: {retention}\n".encode()
    return read_daemon_config(data, "/etc/gitops-wf.yaml")


def test_what_is_not_said_has_its_default():
    config = read("{revisions: 7, removed: 90d}")

    assert isinstance(config, DaemonConfig)
    assert config.retention == Retention(revisions=7, removed=timedelta(days=90))


@pytest.mark.parametrize(
    ("retention", "problem"),
    [
        ("{revisions: 0}", "revisions"),
        ("{runs: -1}", "runs"),
        ("{events: many}", "events"),
        ("{messages: 0s}", "messages"),
        ("{interval: soon}", "interval"),
        ("{run: 3}", "did you mean `runs`"),
    ],
)
def test_what_would_keep_nothing_or_means_nothing_is_an_error(retention, problem):
    problems = read(retention)

    assert isinstance(problems, tuple)
    assert problem in str(problems[0])


def test_a_mail_servers_port_is_a_port():
    channel = "{type: email, from: {address: a@b, host: h, port: 0}, to: [c@d]}"
    data = f"{HEAD}notifications: {{channels: {{ops: {channel}}}}}\n".encode()

    problems = read_daemon_config(data, "/etc/gitops-wf.yaml")

    assert isinstance(problems, tuple)
    assert "port" in str(problems[0])
