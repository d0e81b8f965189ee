"""`outbound` of the daemon config says where requests may go."""

from datetime import UTC, datetime

from gitops_wf.bootstrap.sending import channel_sender
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.message import Delivery, Message
from gitops_wf.core.notifications.verdict import Refused, Sent
from gitops_wf.core.redaction import Redactor
from gitops_wf.definitions.daemon import read_daemon_config
from tests.receivers import http_receiver

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = """\
repositories: {{shop: {{url: /srv/shop.git}}}}
targets: {{eu: {{sandbox: true}}}}
notifications: {{channels: {{audit: {{type: webhook, url: '{url}'}}}}}}
outbound: {outbound}
"""


def sent(outbound):
    """How a message to a receiver on this machine ends."""
    with http_receiver() as receiver:
        text = CONFIG.format(url=f"{receiver.url}/audit", outbound=outbound)
        config = read_daemon_config(text.encode(), "/etc/gitops-wf.yaml")
        message = Message(
            item="m", kind="webhook", channel={"name": "audit"}, payload={"text": "x"}
        )
        delivery = Delivery(
            key="k",
            environment=EnvironmentId("shop/prod"),
            run=None,
            step=None,
            message=message,
            created=NOW,
            tries=1,
        )
        verdict = channel_sender(config, Redactor()).send(delivery, NOW)
        return verdict, len(receiver.received)


def test_this_machine_is_sent_to_unless_the_config_says_otherwise():
    verdict, received = sent("{}")

    assert (type(verdict), received) == (Sent, 1)


def test_without_loopback_nothing_is_sent_there_and_the_mend_is_named():
    verdict, received = sent("{loopback: false}")

    assert isinstance(verdict, Refused)
    assert "`outbound` of the daemon config can allow it" in verdict.detail
    assert received == 0


def test_what_is_allowed_by_name_is_sent_to_all_the_same():
    verdict, received = sent("{loopback: false, allow: [127.0.0.0/8]}")

    assert (type(verdict), received) == (Sent, 1)
