from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_wf.core.backoff import LONGEST_DELAY, backoff, jittered, next_look


@pytest.mark.parametrize(
    ("failures", "wait"),
    [(0, 0), (1, 0.75), (2, 1.5), (3, 3), (4, 6), (10, 384), (11, 768), (12, 900)],
)
def test_the_wait_doubles_from_750_ms_up_to_a_quarter_of_an_hour(failures, wait):
    assert backoff(failures) == timedelta(seconds=wait)


def test_a_million_failures_wait_no_longer_than_the_longest():
    assert backoff(1_000_000) == LONGEST_DELAY


@given(st.floats(min_value=0, max_value=1, exclude_max=True))
def test_jitter_stays_within_its_fraction_on_both_sides(chance):
    interval = timedelta(minutes=1)

    wait = jittered(interval, chance=chance)

    assert timedelta(seconds=57) <= wait <= timedelta(seconds=63)


def test_the_middle_chance_leaves_the_interval_alone():
    assert jittered(timedelta(minutes=1), chance=0.5) == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("look", "wait"), [(0, 1), (1, 1.5), (2, 2.25), (5, 7.59375), (6, 10), (10_000, 10)]
)
def test_looks_become_rarer_from_a_second_to_ten(look, wait):
    assert next_look(look) == timedelta(seconds=wait)


def test_what_takes_long_is_looked_at_more_rarely():
    first, last = timedelta(seconds=10), timedelta(minutes=2)

    assert next_look(0, first=first, last=last) == first
    assert next_look(100, first=first, last=last) == last
