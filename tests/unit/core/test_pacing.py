from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_wf.core.pacing import RATES, Pace, Rate, Turn, receiver_of

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def turns(count, rate, *, pace=None, now=NOW):
    pace, found = pace or Pace(), []
    for _ in range(count):
        turn, pace = pace.taken(rate, now)
        found.append(turn.at)
    return found, pace


def test_as_many_as_the_rate_allows_go_at_once_and_the_next_waits():
    found, _ = turns(4, Rate(messages=3, span=2 * SECOND))

    assert found == [NOW, NOW, NOW, NOW + 2 * SECOND]


def test_a_robot_of_dingtalk_never_gets_twenty_in_a_minute():
    found, pace = turns(100, RATES["dingding"])

    for first in found:
        assert sum(first <= turn < first + 60 * SECOND for turn in found) < 20
    assert len(pace.turns) == 19


@given(
    st.lists(st.integers(0, 5000), max_size=60),
    st.integers(1, 5),
    st.integers(1, 3000),
)
def test_no_span_ever_holds_more_than_the_rate_and_nobody_overtakes(
    gaps, messages, span
):
    rate = Rate(messages=messages, span=timedelta(milliseconds=span))
    now, pace, found = NOW, Pace(), []
    for gap in gaps:
        now += timedelta(milliseconds=gap)
        turn, pace = pace.taken(rate, now)
        assert turn.at >= now
        found.append(turn.at)

    assert found == sorted(found)
    for first in found:
        assert sum(first <= turn < first + rate.span for turn in found) <= messages


def test_a_pause_ends_all_turns_that_had_not_come():
    rate = RATES["slack"]
    (_, second), pace = turns(2, rate)
    waiting = Turn(at=second, round=pace.round)

    pace = pace.paused(NOW + 600 * SECOND, NOW)
    assert pace.turns == ()
    again, pace = pace.taken(rate, NOW)

    assert not pace.holds(waiting)
    assert again.at == NOW + 600 * SECOND
    assert pace.holds(again)


def test_a_shorter_pause_does_not_end_a_longer_one():
    pace = Pace().paused(NOW + 600 * SECOND, NOW).paused(NOW + SECOND, NOW)

    turn, _ = pace.taken(None, NOW)

    assert turn.at == NOW + 600 * SECOND


def test_a_receiver_without_a_rate_waits_for_its_pauses_only():
    found, pace = turns(50, None)

    assert set(found) == {NOW}
    assert pace == Pace()


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"url": "https://x.y/1"}, {"url": {"value": "https://x.y/1"}}, True),
        ({"url": "https://x.y/1"}, {"url": "https://x.y/2"}, False),
        (
            {"url": {"secretRef": {"name": "a"}}, "sign": 1},
            {"url": {"secretRef": {"name": "a"}}},
            True,
        ),
        ({"from": {"host": "a"}}, {"from": {"host": "b"}}, False),
    ],
)
def test_channels_to_one_address_are_one_receiver(one, other, is_same):
    assert (receiver_of("slack", one) == receiver_of("slack", other)) is is_same
    assert receiver_of("slack", one) != receiver_of("dingding", one)
