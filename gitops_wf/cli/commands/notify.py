"""`notify-test`: one message to a channel, to see that it arrives."""

from typing import Annotated

import typer

from gitops_wf.cli.options import ConfigOption
from gitops_wf.cli.place import find_config
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.identifiers import EnvironmentId


def notify_test(
    channel: Annotated[
        str, typer.Argument(metavar="CHANNEL", help="A channel of the daemon config.")
    ],
    text: Annotated[
        str, typer.Option(metavar="TEXT", help="What to say.")
    ] = "A test of this channel. Nothing has happened.",
    config: ConfigOption = None,
) -> None:
    """Send one test message to a channel, and say what its receiver answered."""
    from gitops_wf.bootstrap.looking import machine_clock
    from gitops_wf.bootstrap.process import REDACTOR
    from gitops_wf.bootstrap.sending import channel_sender
    from gitops_wf.core.message import Delivery
    from gitops_wf.core.notifications.channels import message_to_channel
    from gitops_wf.core.notifications.verdict import Refused, RetryIn, Sent

    found = find_config(config)
    message = message_to_channel(
        found.channels, channel, subject=f"gitops-wf {found.instance}: test", text=text
    )
    now = machine_clock().now()
    delivery = Delivery(
        key=f"notify-test/{channel}/{now.isoformat()}",
        environment=EnvironmentId("-/notify-test"),
        run=None,
        step=None,
        message=message,
        created=now,
    )
    verdict = channel_sender(found, REDACTOR).send(delivery, now)
    match verdict:
        case Sent():
            print(REDACTOR.text(f"{channel}: sent: {verdict.detail}"))
        case RetryIn():
            raise TransientError(
                f"{channel}: not sent: {verdict.detail} (the daemon would try again)"
            )
        case Refused():
            raise TerminalError(
                f"{channel}: refused: {verdict.detail}", reason="NotificationFailed"
            )
