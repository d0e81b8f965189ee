from datetime import timedelta

import pytest

from gitops_wf.core.errors import TransientError
from gitops_wf.daemon.clock_watch import ClockWatch
from tests.fakes.clock import FakeClock


@pytest.fixture
def watched():
    clock, seconds, done = FakeClock(), [0.0], []
    watch = ClockWatch(
        clock=clock,
        monotonic=lambda: seconds[0],
        mend=lambda: done.append("mend"),
        begin_anew=lambda: done.append("anew"),
    )

    def look(*, passed: float = 1, clock_by: float | None = None):
        seconds[0] += passed
        clock.pass_time(timedelta(seconds=passed if clock_by is None else clock_by))
        watch.look()
        found = list(done)
        done.clear()
        return found

    return look


def test_what_is_stored_is_mended_at_the_start(watched):
    assert watched() == ["mend"]
    assert watched() == []


def test_a_clock_that_goes_right_or_is_corrected_a_little_is_left_alone(watched):
    watched()

    assert watched(passed=3600) == []
    assert watched(clock_by=-0.9) == []


def test_a_clock_set_forward_needs_no_mending_and_one_set_back_does(watched):
    watched()

    assert watched(clock_by=10_000) == []
    assert watched(clock_by=-10_000) == ["anew", "mend"]
    assert watched() == []


def test_what_could_not_be_mended_is_mended_at_the_next_look():
    tries = []

    def mend():
        tries.append(1)
        if len(tries) == 1:
            raise TransientError("the store is away")

    watch = ClockWatch(
        clock=FakeClock(), monotonic=lambda: 0, mend=mend, begin_anew=tries.clear
    )
    with pytest.raises(TransientError):
        watch.look()

    watch.look()
    watch.look()

    assert len(tries) == 2
