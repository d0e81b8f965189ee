"""Values of the core survive being written as JSON text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_wf.adapters.sql_store.payload import MARK, Payload, escape, merge, unescape
from gitops_wf.core.run import Run, StepRun
from tests.values import TEXT, values

RUNS = Payload(Run)
STEP_RUNS = Payload(StepRun)


@given(TEXT)
def test_escaped_text_comes_back_as_it_was(text: str):
    assert unescape(escape(text)) == text


@given(TEXT)
def test_escaped_text_is_what_every_database_takes(text: str):
    escaped = escape(text)

    assert "\x00" not in escaped
    escaped.encode("utf-8")


def test_ordinary_text_is_not_changed():
    assert escape("größer als 東京 🚀") == "größer als 東京 🚀"


@settings(max_examples=50, deadline=None)
@given(values(Run))
def test_a_run_is_equal_to_what_was_written(run: Run):
    assert RUNS.load(RUNS.dump(run)) == run


@settings(max_examples=50, deadline=None)
@given(values(Run), st.sets(st.sampled_from(sorted(Run.__dataclass_fields__))))
def test_a_run_written_in_two_parts_is_whole_again(run: Run, first: set[str]):
    every = set(Run.__dataclass_fields__)
    if not first or first == every:
        first = {"id"}

    text = merge(RUNS.dump(run, exclude=every - first), RUNS.dump(run, exclude=first))

    assert RUNS.load(text) == run


@pytest.mark.parametrize("code", [0xDCFF, 0xFFFD, 0, ord(MARK)])
def test_odd_text_survives_in_keys_and_values(code: int):
    odd = f"a{chr(code)}00dcff"
    step = StepRun(name=odd, type="t", outputs={odd: [odd, {odd: odd}]})

    assert STEP_RUNS.load(STEP_RUNS.dump(step)) == step
