"""What keeps the daemon from starting is said before anything starts."""

import pytest

from gitops_wf.bootstrap.cloud import cloud_rules
from gitops_wf.bootstrap.configs import sandbox_config
from gitops_wf.definitions.daemon import known_of

CONFIG = """\
repositories:
  shop:
    url: ssh://git@127.0.0.1:1/shop.git
    auth: {type: ssh, secretRef: {name: key}%s}
targets:
  disk: {directory: out}
secrets:
  key: {%s}
"""


@pytest.mark.parametrize(
    ("more", "secret", "told"),
    [
        ("", "file: key", "auth: ssh needs `knownHosts`"),
        (", knownHosts: hosts", "file: key", "auth: knownHosts cannot be read:"),
        ("", "env: GITOPS_WF_NOT_SET", "variable GITOPS_WF_NOT_SET of the daemon"),
    ],
)
def test_a_credential_that_is_not_there_names_its_repository(
    gitops_wf, tmp_path, more, secret, told
):
    (tmp_path / "key").write_text("a key")
    config = tmp_path / "gitops-wf.yaml"
    config.write_text(CONFIG % (more, secret))

    result = gitops_wf("run", "--config", config)

    assert result.code == 1
    assert "gitops-wf: repository shop: auth: " in result.err
    assert told in result.err


@pytest.mark.parametrize(
    ("directory", "why"),
    [("taken", "File exists"), ("taken/deeper", "Not a directory")],
)
def test_a_directory_that_cannot_be_is_named_with_the_field(
    gitops_wf, tmp_path, directory, why
):
    (tmp_path / "taken").touch()
    config = tmp_path / "gitops-wf.yaml"
    config.write_text(
        f"directory: {directory}\n"
        "repositories: {shop: {url: /srv/shop.git}}\n"
        "targets: {disk: {directory: out}}\n"
    )

    result = gitops_wf("run", "--config", config)

    assert result.code == 1
    assert f"gitops-wf: directory {tmp_path / directory}: {why}; make it" in result.err
    assert "name another as `directory`" in result.err


def test_a_sandbox_without_a_config_is_its_own_hub_for_cloud_resources(tmp_path):
    config = sandbox_config(tmp_path / "shop.git", tmp_path / "daemon")

    known = known_of(config, cloud_rules(config))

    assert config.hub == known.hub == "hub"
    # Any name is a namespace of the sandbox, that of the hub too.
    assert config.is_all_sandbox
    assert known.targets is None
