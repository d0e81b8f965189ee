import pytest
from pydantic import ValidationError

from gitops_wf.core.errors import TerminalError
from gitops_wf.delivery.promoting import is_promoted
from gitops_wf.steps.promote import STEP_TYPE
from tests.steps import a_context, capabilities

PULL = {"provider": "github", "token": {"secretRef": {"name": "forge"}}}


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({}, "folder"),
        ({"folder": "/etc"}, "inside the folder"),
        ({"folder": "envs/../.github"}, "inside the folder"),
        ({"folder": "envs/prod", "paths": []}, "one path at least"),
        ({"folder": "envs/prod", "paths": ["../x"]}, "inside the folder"),
        ({"folder": "envs/prod", "mode": "pullRequest"}, "go together"),
        ({"folder": "envs/prod", "pullRequest": PULL}, "go together"),
        (
            {"folder": "envs/prod", "values": [{"file": "a.yaml", "pointer": "a"}]},
            "must begin with `/`",
        ),
        (
            {"folder": "envs/prod", "values": [{"file": "a.yaml", "pointer": ""}]},
            "write a JSON pointer",
        ),
        (
            {
                "folder": "envs/prod",
                "values": [
                    {
                        "file": "a.yaml",
                        "pointer": "/a",
                        "value": 1,
                        "from": {"file": "b.yaml", "pointer": "/b"},
                    }
                ],
            },
            "either from or value",
        ),
        (
            {
                "folder": "envs/prod",
                "mode": "pullRequest",
                "pullRequest": {**PULL, "token": "plain"},
            },
            "a secret does not stand in Git",
        ),
    ],
)
def test_wrong_properties_say_what_would_be_right(properties, says):
    with pytest.raises(ValidationError, match=says):
        STEP_TYPE.properties.model_validate(properties)


@pytest.mark.parametrize(
    ("path", "is_named", "may"),
    [
        ("web.yaml", False, True),
        ("conf/workflow.yaml", False, True),
        ("workflow.yaml", False, False),
        ("workflow.yaml", True, True),
        ("approvals.yaml", True, False),
        ("approvals/ann.yaml", False, False),
        ("eu/approvals.yaml", False, False),
        ("eu/approvals/ann.yaml", False, False),
    ],
)
def test_decisions_are_never_promoted_and_definitions_by_name(path, is_named, may):
    assert is_promoted(path, is_named=is_named) is may


def test_a_program_that_commits_nothing_refuses():
    runner = STEP_TYPE.make(capabilities())

    with pytest.raises(TerminalError, match="nothing is committed from here"):
        runner.attempt(a_context(STEP_TYPE, {"folder": "envs/next"}))
