import json
from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.core.errors import TerminalError
from gitops_wf.core.metrics import MetricCondition, Watch, sample_of

NOW = datetime(2026, 11, 27, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def answer(kind, result):
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data})


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        (">=0.95", 0.95, 0.949),
        ("> 1", 1.5, 1),
        ("<5e2", 499, 500),
        ("<=-1", -1, 0),
        ("== 1", 1, 2),
        ("!=0", 1, 0),
        ("value > 0.5 && value < 1.0", 0.7, 1.2),
        (">=0.95 && value <= 1.0", 0.97, 1.01),
        ("value >= 1", 1.0, 0.5),
    ],
)
def test_a_condition_is_a_comparison_or_cel(text, good, bad):
    condition = MetricCondition.parse(text)

    assert condition.holds(good)
    assert not condition.holds(bad)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.95", "does not read value"),
        (">= high", "unknown name `high`"),
        ("status.deploy.succeeded", "unknown name `status`"),
        ("value +", "write a comparison such as >=0.95"),
    ],
)
def test_a_condition_that_says_nothing_of_the_value_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        MetricCondition.parse(text)


def test_a_condition_must_come_to_true_or_false():
    with pytest.raises(TerminalError, match="must be true or false"):
        MetricCondition.parse("value * 2.0").holds(1.0)


def test_a_scalar_and_a_vector_of_one_give_their_value():
    series = {"metric": {"job": "web"}, "value": [1, "0.97"]}

    assert sample_of(answer("scalar", [1, "42"])).value == 42
    found = sample_of(answer("vector", [series]))
    assert (found.value, found.labels) == (0.97, {"job": "web"})


@pytest.mark.parametrize("result", [[], [{"metric": {}, "value": [1, "NaN"]}]])
def test_nothing_and_not_a_number_are_no_data(result):
    assert sample_of(answer("vector", result)).value is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            answer("vector", [{"metric": {"pod": p}, "value": [1, "1"]} for p in "ab"]),
            r"2 series \(\{pod=a\}; \{pod=b\}\).*aggregate",
        ),
        (answer("matrix", []), "gives a matrix"),
        (answer("vector", [{"metric": {}, "value": "x"}]), "holds no number"),
        ("<html>", "none of Prometheus' query API: <html>"),
        ('{"status": "error"}', "none of Prometheus"),
    ],
)
def test_an_answer_that_holds_no_one_value_is_an_error(text, message):
    with pytest.raises(TerminalError, match=message):
        sample_of(text)


def verdict(watch, now):
    return watch.verdict(now, good_for=5 * MINUTE, bad_for=2 * MINUTE)


def watched(*looks, gap=2 * MINUTE):
    watch = Watch()
    for minute, is_good in looks:
        watch = watch.after(is_good, NOW + minute * MINUTE, gap=gap)
    return watch


def test_a_condition_must_hold_without_a_break():
    held = watched(*((m, True) for m in range(6)))
    broken = watched((0, True), (1, True), (2, False), (3, True), (4, True), (5, True))

    assert verdict(held, NOW + 5 * MINUTE) is True
    assert verdict(broken, NOW + 5 * MINUTE) is None


def test_a_condition_that_fails_for_long_enough_has_failed():
    failing = watched((0, True), (1, False), (2, False), (3, False))

    assert verdict(failing, NOW + 2 * MINUTE) is None
    assert verdict(failing, NOW + 3 * MINUTE) is False


def test_a_short_failure_begins_anew_after_a_good_value():
    watch = watched((0, False), (1, True), (2, False))

    assert watch.bad_since == NOW + 2 * MINUTE


def test_what_was_not_seen_for_long_does_not_count():
    watch = watched((0, True), (10, True))

    assert watch.good_since == NOW + 10 * MINUTE
