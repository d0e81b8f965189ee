from datetime import timedelta

from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.freeze import Window, WindowKind
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.definitions.daemon import read_daemon_config

CONFIG = b"""\
repositories:
  shop: {url: /srv/shop.git}
targets:
  eu: {sandbox: true}
groups: {release: [ann@example.com]}
policies:
  - environments: [prod]
    freeze:
      - kind: deny
        schedule: 0 18 * * fri
        duration: 62h
        timeZone: Europe/Berlin
        targets: [eu*]
      - {kind: allow, schedule: '0 9 * * *', duration: 8h}
    rollbacks: held
    freezeOverride: {approvers: [release]}
"""
PROD, TEST = EnvironmentId("shop/prod"), EnvironmentId("shop/test")


def test_a_rules_freeze_is_read_whole_and_holds_its_environments():
    config = read_daemon_config(CONFIG, "/etc/gitops-wf.yaml")

    assert isinstance(config, DaemonConfig)
    (freeze,) = config.rulebook.freezes_for(PROD, [TargetName("eu")])
    assert freeze.windows[0] == Window(
        kind=WindowKind.DENY,
        schedule="0 18 * * fri",
        duration=timedelta(hours=62),
        time_zone="Europe/Berlin",
        targets=("eu*",),
    )
    assert freeze.holds_rollbacks
    assert freeze.override.approvers == ("ann@example.com",)
    (other,) = config.rulebook.freezes_for(PROD, [TargetName("us")])
    assert [w.kind for w in other.windows] == ["allow"]
    assert config.rulebook.freezes_for(TEST, [TargetName("eu")]) == ()
