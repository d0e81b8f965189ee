"""Looks are spread evenly, and fall at the same moments whenever one asks."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from gitops_wf.core.upkeep.timing import next_look

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)


def test_a_thousand_environments_are_spread_over_the_interval():
    looks = [next_look(f"shop/e{n}", INTERVAL, NOON) for n in range(1_000)]

    assert all(NOON < at <= NOON + INTERVAL for at in looks)
    in_each_tenth = Counter((at - NOON) // (INTERVAL / 10) for at in looks)
    assert len(in_each_tenth) == 10
    assert max(in_each_tenth.values()) < 140


def test_looks_are_an_interval_apart_and_a_restart_does_not_move_them():
    first = next_look("shop/prod", INTERVAL, NOON)

    assert next_look("shop/prod", INTERVAL, first) == first + INTERVAL
    almost = first - timedelta(microseconds=1)
    assert next_look("shop/prod", INTERVAL, almost) == first
