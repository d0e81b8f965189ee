"""Numbers that have bounds: a quorum of nobody would open every gate."""

from datetime import timedelta

import pytest

from gitops_wf.core.concurrency import Concurrency
from gitops_wf.core.render_limits import RenderLimits
from gitops_wf.core.sizes import Size
from gitops_wf.definitions.daemon import read_daemon_config
from tests.definitions import read

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"


@pytest.mark.parametrize("number", [0, -1, 101])
def test_a_quorum_is_at_least_one_person(number):
    gate = f"{{approvers: [ann@example.com], minApprovals: {number}}}"
    data = (
        "repositories: {shop: {url: /srv/shop.git}}\n"
        f"targets: {{eu: {{inCluster: true, gate: {gate}}}}}\n"
    )

    problems = read_daemon_config(data.encode(), "/etc/gitops-wf.yaml")

    assert isinstance(problems, tuple)
    assert "minApprovals" in str(problems[0])


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("minApprovals", "policy: {minApprovals: 0}"),
        ("maxPending", "maxPending: 0"),
        ("maxPending", "maxPending: 1001"),
    ],
)
def test_an_environments_own_numbers_are_bounded_too(field, text):
    definition = read({"environment.yaml": f"{HEAD}{text}\n"})

    assert any(field in str(problem) for problem in definition.problems)


def test_the_limits_of_renderers_are_those_of_the_file():
    data = (
        b"repositories: {shop: {url: /srv/shop.git}}\n"
        b"renderers: {timeout: 5m, memory: 2Gi, output: 1048576}\n"
    )

    config = read_daemon_config(data, "/etc/gitops-wf.yaml")

    assert config.rendering == RenderLimits(
        timeout=timedelta(minutes=5), memory=Size(2 << 30), output=Size(1 << 20)
    )


@pytest.mark.parametrize("number", [0, 257])
def test_places_are_bounded(number):
    data = (
        "repositories: {shop: {url: /srv/shop.git}}\n"
        f"concurrency: {{perTarget: {number}}}\n"
    )

    problems = read_daemon_config(data.encode(), "/etc/gitops-wf.yaml")

    assert isinstance(problems, tuple)
    assert "perTarget" in str(problems[0])


def test_how_much_is_done_at_once_is_the_config_s():
    data = (
        b"repositories: {shop: {url: /srv/shop.git}}\n"
        b"concurrency: {atOnce: 64, perTarget: 2}\n"
    )

    config = read_daemon_config(data, "/etc/gitops-wf.yaml")

    assert config.concurrency == Concurrency(at_once=64, per_target=2)
