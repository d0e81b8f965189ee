"""Variables that the daemon config gives to its targets, in real releases."""

import pytest
import yaml

from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.bootstrap.targets import open_target
from gitops_wf.core.config import TargetConfig, TargetKind
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.facts import Known
from gitops_wf.definitions.yaml_text import read_manifests
from tests.releases import ReleaseLine

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
ASKS = HEAD + "targets: [eu, us]\nsubstitute: {}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: '%s'}\n"
VALUES = {"eu": {"region": "eu-1"}, "us": {"region": "us-1"}}


def known(values: dict[str, dict[str, str]]) -> Known:
    return Known(values={TargetName(name): one for name, one in values.items()})


@pytest.fixture
def line(tmp_path):
    targets = {
        TargetName(name): TargetConfig(
            name=TargetName(name), kind=TargetKind.DIRECTORY, path=str(tmp_path / name)
        )
        for name in ("eu", "us")
    }
    made = ReleaseLine(
        tmp_path,
        targets=("eu", "us"),
        catalogue=EntryPointCatalogue(),
        known=known(VALUES),
        capabilities={
            "clusters": ConfiguredClusters(targets, open_target),
            "manifests": read_manifests,
            "digest_key": Secret("key"),
        },
    )
    yield made
    made.close()


def delivered(tmp_path) -> dict[str, str]:
    return {
        name: yaml.safe_load(file.read_text())["data"]["a"]
        for name in ("eu", "us")
        for file in (tmp_path / name).rglob("*-web.yaml")
    }


def test_each_target_gives_its_values_where_an_environment_asks_for_any(line, tmp_path):
    line.commit(
        {
            "envs/prod/environment.yaml": ASKS,
            "envs/prod/web.yaml": CONFIG_MAP % "${region}",
        }
    )
    line.settle()

    assert line.phases("prod") == ["Succeeded"]
    assert delivered(tmp_path) == {"eu": "eu-1", "us": "us-1"}


def test_an_environments_own_values_win(line, tmp_path):
    own = "{values: {region: own}, targets: {us: {region: own-us}}}"
    line.commit(
        {
            "envs/prod/environment.yaml": ASKS.replace("{}", own),
            "envs/prod/web.yaml": CONFIG_MAP % "${region}",
        }
    )
    line.settle()

    assert delivered(tmp_path) == {"eu": "own", "us": "own-us"}


def test_without_substitute_they_are_plain_text(line, tmp_path):
    line.commit(
        {
            "envs/prod/environment.yaml": HEAD,
            "envs/prod/web.yaml": CONFIG_MAP % "${region}",
        }
    )
    line.settle()

    assert delivered(tmp_path) == {"eu": "${region}", "us": "${region}"}


def test_a_name_without_a_value_names_both_places_that_could_give_one(line):
    line.commit(
        {
            "envs/prod/environment.yaml": ASKS,
            "envs/prod/web.yaml": CONFIG_MAP % "${zone}",
        }
    )
    line.settle()

    (revision,) = line.revisions("prod")
    assert line.phases("prod") == ["Failed/InvalidDefinition"]
    assert revision.message.startswith(
        "deploy-eu: envs/prod/web.yaml:4: ${zone} has no"
    )
    assert "`substitute` of envs/prod/environment.yaml" in revision.message
    assert "`targets.eu.substitute` of the daemon config" in revision.message


def test_a_revision_keeps_its_values_and_the_next_commit_there_brings_new_ones(
    line, tmp_path
):
    """A changed value is an input like any other; no commit, no release."""
    line.commit(
        {
            "envs/asks/environment.yaml": ASKS.replace("eu, us", "eu"),
            "envs/asks/web.yaml": CONFIG_MAP % "${region}",
            "envs/plain/environment.yaml": HEAD + "targets: [us]\n",
            "envs/plain/web.yaml": CONFIG_MAP % "${region}",
        }
    )
    line.settle()
    line.known = known({"eu": {"region": "eu-2"}, "us": {"region": "us-2"}})
    line.restart()
    line.settle()
    assert line.phases("asks") == ["Succeeded"]
    assert delivered(tmp_path)["eu"] == "eu-1"

    line.commit({f"envs/{name}/README.md": "words\n" for name in ("asks", "plain")})
    line.settle()

    assert line.phases("asks") == ["Succeeded", "Succeeded"]
    assert delivered(tmp_path)["eu"] == "eu-2"
    assert line.phases("plain") == ["Succeeded"], "it cannot see them"


def test_the_values_of_other_targets_are_no_inputs(line):
    line.commit(
        {
            "envs/prod/environment.yaml": ASKS.replace("eu, us", "eu"),
            "envs/prod/web.yaml": CONFIG_MAP % "${region}",
        }
    )
    line.settle()
    line.known = known({**VALUES, "us": {"region": "other"}})
    line.restart()
    line.commit({"envs/prod/README.md": "words\n"})
    line.settle()

    assert line.phases("prod") == ["Succeeded"]
