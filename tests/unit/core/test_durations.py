from datetime import timedelta

import pytest

from gitops_wf.core.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("1h30m", 5400),
        ("72h", 259200),
        ("1.5m", 90),
        ("250ms", 0.25),
        ("30d", 2592000),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "ten minutes", "-5m", "5 m", "5m extra", "9999999999d", "1y"]
)
def test_what_is_no_duration_gets_an_error_that_shows_one(text):
    with pytest.raises(ValueError, match=r"such as 90s|longer than"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1h30m", "3d", "0s", "1d2h3m4s"])
def test_a_duration_is_printed_as_it_is_read(text):
    assert format_duration(parse_duration(text)) == text
