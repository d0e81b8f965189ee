"""The example of a plug-in, built, installed and run as its page says."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.http_outbound import HttpOutbound
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.phases import Phase
from gitops_wf.definitions.schemas import schema_for
from tests.receivers import HANG_UP, OK, Reply, http_receiver
from tests.steps import a_context, capabilities

PLUGINS = Path(__file__).parents[2] / "docs/plugins"
PAGE = (PLUGINS / "README.md").read_text()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The distribution, built and installed into a folder of its own."""
    place = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PLUGINS / "wait-until-up", place / "source")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--no-index", "--disable-pip-version-check"),
            *("--target", str(place / "lib"), str(source)),
        ],
        check=True,
    )
    return place / "lib"


@pytest.fixture
def catalogue(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    return EntryPointCatalogue()


@pytest.fixture
def receiver():
    with http_receiver() as running:
        yield running


def test_it_is_found_beside_ours(catalogue):
    assert catalogue.problems == ()
    assert "wait-until-up" in catalogue.names()
    assert "deploy2env" in catalogue.names()


def test_without_it_there_is_no_such_type():
    assert EntryPointCatalogue().get("wait-until-up") is None


def test_its_example_is_valid_by_the_schema_that_editors_get(catalogue):
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    workflow = {
        "apiVersion": "gitops-wf.io/v1alpha1",
        "kind": "Workflow",
        "steps": yaml.safe_load(text),
    }
    schema = schema_for("workflow", catalogue)

    jsonschema.validate(workflow, schema)

    workflow["steps"][0]["properties"]["colour"] = "red"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(workflow, schema)


def test_it_waits_by_looking_again_until_it_is_up(catalogue, receiver):
    receiver.reply("/", HANG_UP, Reply(status=503), OK)
    step_type = catalogue.get("wait-until-up")
    outbound = HttpOutbound(AddressGuard(AddressPolicy()))
    runner = step_type.make(capabilities(outbound=outbound))
    properties = {"url": f"{receiver.url}/", "interval": "3s"}
    context = a_context(step_type, properties)

    first = runner.attempt(context)
    second = runner.look(replace(context, look=1, memo=first.memo))
    third = runner.look(replace(context, look=2, memo=second.memo))

    assert [r.phase for r in (first, second)] == [Phase.RUNNING, Phase.RUNNING]
    assert first.retry_after == timedelta(seconds=3)
    assert second.message == "127.0.0.1 is not up yet: HTTP 503"
    assert (third.phase, third.outputs) == (Phase.SUCCEEDED, {"asked": 3})
