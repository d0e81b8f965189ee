from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gitops_wf.core.freeze import Window, WindowKind, frozen

BERLIN = ZoneInfo("Europe/Berlin")


def at(text, zone=UTC):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def window(
    kind="deny", schedule="0 18 * * fri", hours=62.0, zone="Europe/Berlin", **more
):
    return Window(
        kind=WindowKind(kind),
        schedule=schedule,
        duration=timedelta(hours=hours),
        time_zone=zone,
        **more,
    )


def until(windows, now):
    found = frozen(windows, now)
    return None if found is None else found.until


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-03-06T17:59:59", None),
        ("2026-03-06T18:00:00", "2026-03-09T08:00"),
        ("2026-03-08T12:00:30", "2026-03-09T08:00"),
        ("2026-03-09T07:59:59", "2026-03-09T08:00"),
        ("2026-03-09T08:00:00", None),
    ],
)
def test_a_weekend_is_frozen_from_its_first_to_before_its_last_moment(now, end):
    expected = None if end is None else at(end, BERLIN)

    assert until([window()], at(now, BERLIN)) == expected


@pytest.mark.parametrize(
    ("summer", "start"), [(False, "2026-01-09T17:00"), (True, "2026-07-10T16:00")]
)
def test_it_begins_by_the_walls_clock_in_summer_and_winter(summer, start):
    first = at(start)

    assert until([window()], first - timedelta(seconds=1)) is None
    assert until([window()], first) == first + timedelta(hours=62)
    assert first.astimezone(BERLIN).dst() == timedelta(hours=1 if summer else 0)


def test_its_length_is_elapsed_time_across_a_change_of_the_clocks():
    night = window(schedule="0 18 * * *", hours=12)

    assert until([night], at("2026-03-28T20:00", BERLIN)) == at(
        "2026-03-29T07:00", BERLIN
    )
    assert until([night], at("2026-10-24T20:00", BERLIN)) == at(
        "2026-10-25T05:00", BERLIN
    )


def test_a_start_that_the_clocks_leap_over_is_at_the_leap():
    leapt = window(schedule="30 2 * * *", hours=1)

    assert until([leapt], at("2026-03-29T01:00:00")) == at("2026-03-29T02:00:00")


def test_zones_differ_in_when_they_freeze():
    tokyo = window(schedule="0 9 * * *", hours=1, zone="Asia/Tokyo")

    assert until([tokyo], at("2026-05-01T00:30")) == at("2026-05-01T01:00")
    assert until([tokyo], at("2026-05-01T09:30")) is None


def test_without_windows_nothing_is_frozen():
    assert frozen([], at("2026-05-01T00:30")) is None


def test_where_there_is_an_allow_one_must_be_active():
    office = window("allow", "0 9 * * mon-fri", 8, "UTC")
    saturday = window("allow", "0 10 * * sat", 1, "UTC")

    assert frozen([office, saturday], at("2026-05-01T12:00")) is None  # a Friday
    assert frozen([office, saturday], at("2026-05-02T10:30")) is None
    assert until([office, saturday], at("2026-05-01T17:00")) == at("2026-05-02T10:00")
    assert until([office, saturday], at("2026-05-02T11:00")) == at("2026-05-04T09:00")


def test_a_deny_wins_over_an_allow_and_its_end_need_not_be_the_end():
    office = window("allow", "0 9 * * mon-fri", 8, "UTC")
    friday = window("deny", "0 15 * * fri", 4, "UTC")

    found = frozen([office, friday], at("2026-05-01T16:00"))

    assert found.until == at("2026-05-04T09:00")
    assert found.reason == "deny '0 15 * * fri' for 4h (UTC)"


def test_windows_that_follow_each_other_are_one():
    early = window(schedule="0 8 * * *", hours=2, zone="UTC")
    late = window(schedule="0 10 * * *", hours=3, zone="UTC")
    hourly = window(schedule="0 * * * *", hours=1, zone="UTC")

    assert until([early, late], at("2026-05-01T08:30")) == at("2026-05-01T13:00")
    assert until([hourly], at("2026-05-01T08:30")) > at("2026-05-02T08:30")


def test_a_window_is_for_the_targets_that_its_globs_match():
    some = window(targets=("eu-*", "us"))

    assert [some.is_for(t) for t in ("eu-1", "us", "us-1")] == [True, True, False]
    assert window().is_for("any")
