"""Sending messages to the channels of a config."""

from functools import partial

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.apprise_relay.relay import AppriseRelay
from gitops_wf.adapters.cluster_secrets import ClusterSecrets
from gitops_wf.adapters.config_secrets import ConfigSecrets
from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.adapters.http_outbound import HttpOutbound
from gitops_wf.adapters.smtp_mailer import SmtpMailer
from gitops_wf.bootstrap.targets import open_target, with_sandbox_kubeconfig
from gitops_wf.core.config import (
    DaemonConfig,
)
from gitops_wf.core.redaction import Redactor
from gitops_wf.ports.secrets import Secrets
from gitops_wf.services.deliver import ChannelSender


def channel_sender(config: DaemonConfig, redactor: Redactor) -> ChannelSender:
    """Return what sends messages to the channels of a config, beside a daemon."""
    clusters = ConfiguredClusters(
        with_sandbox_kubeconfig(config), partial(open_target, redactor=redactor)
    )
    secrets = ConfigSecrets(
        config.secrets.values(), redactor=redactor, objects=ClusterSecrets(clusters)
    )
    return sender(config, secrets, AddressGuard(config.outbound))


def sender(
    config: DaemonConfig, secrets: Secrets, guard: AddressGuard
) -> ChannelSender:
    """Return what sends messages to the channels of a config and of workflows."""
    return ChannelSender(
        outbound=HttpOutbound(guard),
        mailer=SmtpMailer(guard),
        relay=AppriseRelay(guard),
        secrets=secrets,
        channels=config.channels,
    )
