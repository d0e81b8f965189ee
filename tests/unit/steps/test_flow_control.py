from datetime import timedelta

import pytest
from pydantic import ValidationError

from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.phases import Phase
from gitops_wf.steps import print_message, step_group, suspend
from tests.steps import NOW, a_context, capabilities


def suspended(properties, **more):
    runner = suspend.STEP_TYPE.make(capabilities())
    return runner.attempt(a_context(suspend.STEP_TYPE, properties, **more))


def test_suspend_waits_for_a_decision_with_no_time_of_its_own():
    result = suspended({"message": "EU is live"})

    assert (result.phase, result.message) == (Phase.SUSPENDED, "EU is live")
    assert result.retry_after is None
    assert suspend.STEP_TYPE.default_timeout == timedelta(days=30)


def test_suspend_goes_on_after_its_duration():
    result = suspended({"duration": "10m"})

    assert (result.phase, result.message) == (Phase.SUSPENDED, "waits for 10m")
    assert result.retry_after == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("passed", "phase", "left"),
    [(4, Phase.SUSPENDED, 6), (10, Phase.SUCCEEDED, None), (60, Phase.SUCCEEDED, None)],
)
def test_a_repeated_attempt_waits_only_for_what_is_left(passed, phase, left):
    result = suspended({"duration": "10m"}, started=NOW - timedelta(minutes=passed))

    assert result.phase is phase
    assert result.retry_after == (left and timedelta(minutes=left))


@pytest.mark.parametrize("properties", [{"approvers": ["ann"]}, {"duration": 10}])
def test_suspend_takes_a_message_and_a_duration_only(properties):
    with pytest.raises(ValidationError):
        suspend.STEP_TYPE.properties.model_validate(properties)


def test_a_printed_message_is_the_steps_message():
    runner = print_message.STEP_TYPE.make(capabilities())

    result = runner.attempt(a_context(print_message.STEP_TYPE, {"message": "v1.4.2"}))

    assert (result.phase, result.message) == (Phase.SUCCEEDED, "v1.4.2")


def test_a_group_has_no_work_and_no_properties():
    runner = step_group.STEP_TYPE.make(capabilities())
    context = a_context(step_group.STEP_TYPE, {})

    with pytest.raises(InvalidTransitionError, match="is a group"):
        runner.attempt(context)
    with pytest.raises(ValidationError):
        step_group.STEP_TYPE.properties.model_validate({"mode": "DAG"})
