from datetime import timedelta

import pytest
from pydantic import ValidationError

from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.phases import Phase
from gitops_wf.core.run import Remind
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
def test_suspend_takes_no_approvers_and_no_bare_number(properties):
    with pytest.raises(ValidationError):
        suspend.STEP_TYPE.properties.model_validate(properties)


@pytest.mark.parametrize(
    ("written", "remind"),
    [
        (None, None),
        ("never", Remind(most=0)),
        (
            {"after": "4h", "interval": "12h", "most": 3},
            Remind(after=timedelta(hours=4), interval=timedelta(hours=12), most=3),
        ),
    ],
)
def test_suspend_says_when_those_who_may_approve_are_told_again(written, remind):
    assert suspended({"remind": written}).remind == remind


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"remind": 0}, "write never, or a map such as {after: 4h, interval: 12h}"),
        ({"remind": "4h"}, "write never, or a map such as"),
        ({"remind": {"after": "1s"}}, "write at least 1m, or `remind: never`"),
        ({"remind": {"interval": "0s"}}, "write at least 1m, or `remind: never`"),
        ({"remind": {"most": 0}}, "greater than or equal to 1"),
        (
            {"remind": {"after": "4h"}, "duration": "1d"},
            "with duration nobody is waited for",
        ),
    ],
)
def test_a_wrong_remind_says_what_would_be_right(properties, text):
    with pytest.raises(ValidationError) as raised:
        suspend.STEP_TYPE.properties.model_validate(properties)

    assert text in str(raised.value)


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
