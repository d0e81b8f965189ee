"""As whom a target's environments are delivered, as the daemon config writes it."""

from gitops_wf.core.impersonation import Identity
from gitops_wf.definitions.daemon import read_daemon_config

DATA = b"""\
repositories: {shop: {url: /srv/shop.git}}
targets:
  eu:
    inCluster: true
    namespace: web
    impersonate:
      - {environments: [shop/prod], serviceAccount: release/deployer}
      - {environments: ["shop/*"], user: bob, groups: [dev, ops]}
      - {serviceAccount: nobody}
  us: {inCluster: true}
"""


def test_identities_are_users_of_the_cluster():
    config = read_daemon_config(DATA, "/etc/gitops-wf.yaml")

    rules = config.targets["eu"].impersonate
    assert [(rule.environments, rule.identity) for rule in rules] == [
        (("shop/prod",), Identity(user="system:serviceaccount:release:deployer")),
        (("shop/*",), Identity(user="bob", groups=("dev", "ops"))),
        (("*",), Identity(user="system:serviceaccount:web:nobody")),
    ]
    assert config.targets["us"].impersonate == ()
