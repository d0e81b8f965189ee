from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.sandbox.tables.ages import duration, since

DAY = 86400


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (185, "3m5s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (2 * DAY + 3600, "2d1h"),
        (8 * DAY, "8d"),
        (729 * DAY, "729d"),
        (731 * DAY, "2y1d"),
        (3000 * DAY, "8y"),
    ],
)
def test_a_duration_is_shown_as_kubectl_shows_it(seconds, shown):
    assert duration(timedelta(seconds=seconds)) == shown


def test_an_age_without_a_time_is_unknown():
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert since(None, now) == "<unknown>"
    assert since("2025-12-31T23:59:30Z", now) == "30s"
