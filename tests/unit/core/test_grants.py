import pytest

from gitops_wf.core.grants import SecretGrant
from gitops_wf.core.identifiers import EnvironmentId


@pytest.mark.parametrize(
    ("glob", "environment", "allowed"),
    [
        ("shop/prod", "shop/prod", True),
        ("shop/*", "shop/team/prod", True),
        ("*/prod", "shop/prod", True),
        ("prod", "shop/prod", False),
        ("shop/prod", "other/shop/prod", False),
        ("shop/prod", "shop/prod-eu", False),
    ],
)
def test_an_environment_is_granted_by_repository_and_name(glob, environment, allowed):
    grant = SecretGrant(name="slack", environments=(glob,))

    assert grant.allows_environment(EnvironmentId(environment)) is allowed


@pytest.mark.parametrize(
    ("glob", "host", "allowed"),
    [
        ("hooks.slack.com", "Hooks.Slack.com.", True),
        ("*.slack.com", "hooks.slack.com", True),
        ("*.slack.com", "slack.com.evil.example", False),
        ("hooks.slack.com", "hooks-slack.com", False),
    ],
)
def test_a_host_is_granted_by_its_whole_name(glob, host, allowed):
    assert SecretGrant(name="slack", hosts=(glob,)).allows_host(host) is allowed


def test_no_glob_grants_nothing():
    grant = SecretGrant(name="slack")

    assert not grant.allows_environment(EnvironmentId("shop/prod"))
    assert not grant.allows_host("hooks.slack.com")
