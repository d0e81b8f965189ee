"""What the cloud resource steps take, and what they refuse with a mend."""

import pytest
from pydantic import ValidationError

from gitops_wf.core.environment import Environment
from gitops_wf.core.identifiers import EnvironmentName, TargetName
from gitops_wf.steps.deploy_cloud_resource import STEP_TYPE as CLOUD
from gitops_wf.steps.share_cloud_resource import STEP_TYPE as SHARE


def environment(*targets, hub="hub"):
    return Environment(
        name=EnvironmentName("prod"),
        folder="envs/prod",
        targets=tuple(map(TargetName, targets)),
        hub=hub and TargetName(hub),
    )


def targets(step_type, around, **properties):
    return step_type.targets(step_type.properties.model_validate(properties), around)


def test_a_database_is_written_to_the_hub_first_and_its_secret_to_every_target():
    assert targets(CLOUD, environment("eu", "us")) == ("hub", "eu", "us")
    assert targets(CLOUD, environment("eu", "us"), target="us") == ("hub", "us")


def test_a_target_that_is_the_hub_is_named_once():
    assert targets(CLOUD, environment("eu", "hub")) == ("hub", "eu")


def test_placements_are_targets_and_the_hub_is_only_read():
    placements = [{"target": "us"}, {"target": "eu"}, {"target": "us"}]

    assert targets(SHARE, environment("eu"), placements=placements) == ("us", "eu")


def test_a_step_says_which_cloud_resources_it_brings_to_the_hub():
    both = CLOUD.properties.model_validate({"resources": ["db", "Queue/q"]})

    assert CLOUD.to_hub(both) == ("db", "Queue/q")
    assert CLOUD.to_hub(CLOUD.properties.model_validate({})) == ()
    shared = SHARE.properties.model_validate({"placements": [{"target": "us"}]})
    assert SHARE.to_hub(shared) is None


@pytest.mark.parametrize(
    ("step_type", "properties", "says"),
    [
        (SHARE, {"placements": []}, "at least 1 item"),
        (CLOUD, {"keys": ["A", {"from": "B", "to": "A"}]}, "two of them are called A"),
        (CLOUD, {"keys": ["no key"]}, "is no key of a Secret"),
        (CLOUD, {"secretName": "Upper"}, "is no name of an object"),
        (CLOUD, {"resources": ["${{ outputs.x }}"]}, "is no cloud resource"),
        (CLOUD, {"parallel": True}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(step_type, properties, says):
    with pytest.raises(ValidationError) as found:
        step_type.properties.model_validate(properties)

    assert says in str(found.value)
