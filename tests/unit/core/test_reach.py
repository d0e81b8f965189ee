"""What requests say of an API server: whether it hangs, fails, or is away."""

from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.core.reach import AWAY_AFTER, HANGS_AFTER, LONGEST_PAUSE, Reach

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def lost(reach, begun, now, *, hung=False, error="no"):
    return reach.lost(error, begun=begun, hung=hung, now=now)


def test_a_server_that_answers_neither_hangs_nor_fails():
    reach = Reach().begun(NOON).well(NOON + SECOND)

    assert reach.answered == NOON + SECOND
    assert not reach.hangs(NOON + timedelta(hours=1))
    assert not reach.is_failing(NOON + timedelta(hours=1))
    assert reach.away_since(NOON + timedelta(hours=1)) is None


def test_it_hangs_while_a_request_waits_and_nobody_has_an_answer():
    reach = Reach().begun(NOON)

    assert not reach.hangs(NOON + HANGS_AFTER - SECOND)
    assert reach.hangs(NOON + HANGS_AFTER)
    assert not reach.well(NOON + HANGS_AFTER).hangs(NOON + HANGS_AFTER)


def test_a_slow_request_beside_those_that_are_answered_is_no_hang():
    reach = Reach().begun(NOON)
    for second in range(1, 60, 2):
        begun = NOON + second * SECOND
        reach = reach.begun(begun).well(begun + SECOND)

    assert not reach.hangs(NOON + 60 * SECOND)


def test_what_fails_at_once_does_not_hang():
    reach = lost(Reach().begun(NOON), NOON, NOON)

    assert reach.is_failing(NOON)
    assert not reach.hangs(NOON + timedelta(hours=1))


def test_one_blip_is_not_away_however_long_nobody_asks_again():
    reach = lost(Reach().begun(NOON), NOON, NOON)
    later = NOON + timedelta(hours=1)

    assert reach.away_since(later) is None
    assert reach.begun(later).away_since(later) is None


def test_it_is_away_since_the_first_request_that_was_not_answered():
    reach = Reach().well(NOON - SECOND).begun(NOON)
    assert reach.away_since(NOON + AWAY_AFTER - SECOND) is None
    assert reach.away_since(NOON + AWAY_AFTER) == NOON

    failed = lost(reach, NOON, NOON + 60 * SECOND, hung=True)
    assert failed.away_since(NOON + 60 * SECOND) == NOON
    assert failed.hangs(NOON + 60 * SECOND)


def test_it_is_not_away_before_it_last_answered_somebody():
    reach = Reach().begun(NOON).well(NOON + 59 * SECOND)

    reach = lost(reach, NOON, NOON + 60 * SECOND, hung=True)

    assert reach.away_since(NOON + 60 * SECOND) is None
    assert reach.hangs(NOON + 60 * SECOND)


def test_those_that_fail_together_count_once_and_it_is_asked_ever_more_seldom():
    reach, now, pauses = Reach(), NOON, []
    for _ in range(6):
        for _ in range(8):
            reach = lost(reach, now, now)
        assert reach.next is not None
        pauses.append((reach.next - now).total_seconds())
        now = reach.next

    assert pauses == [10, 20, 40, 60, 60, 60]
    assert LONGEST_PAUSE == 60 * SECOND


@pytest.mark.parametrize("hung", [True, False])
def test_an_answer_ends_all_of_it(hung):
    reach = lost(Reach().begun(NOON), NOON, NOON + 60 * SECOND, hung=hung)

    assert reach.well(NOON + 61 * SECOND) == Reach(answered=NOON + 61 * SECOND)
