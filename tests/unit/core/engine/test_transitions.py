"""The one table of phases, and events that do not fit it: they change nothing."""

from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from gitops_wf.core.engine import (
    TRANSITIONS,
    Asked,
    Began,
    Concluded,
    Ended,
    EndRequested,
    EngineEvent,
    Opened,
    Released,
    Reported,
    advance,
    decide,
    is_current,
    next_due,
    record,
)
from gitops_wf.core.engine.transitions import checked
from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.phases import BAD, FINAL, Phase
from tests.phases_page import PAGE, page
from tests.simulation import (
    LATER,
    NOW,
    WAIT,
    Simulation,
    group,
    step,
    suspend,
)


@pytest.mark.parametrize(("old", "new"), list(product(Phase, Phase)))
def test_a_phase_follows_another_only_if_the_table_says_so(old, new):
    if new is old or new in TRANSITIONS[old]:
        assert checked("a", old, new) is new
    else:
        with pytest.raises(InvalidTransitionError, match=f"a: {new} cannot follow"):
            checked("a", old, new)


def test_every_phase_stands_in_the_table():
    assert set(TRANSITIONS) == set(Phase)


def test_nothing_follows_a_final_phase_and_something_every_other():
    assert {phase for phase in Phase if not TRANSITIONS[phase]} == FINAL
    assert BAD < FINAL


def test_nothing_goes_back_to_pending():
    assert all(Phase.PENDING not in after for after in TRANSITIONS.values())


def test_the_page_of_phases_shows_the_table_as_it_is():
    shown = Path(PAGE).read_text(encoding="utf-8")

    assert shown == page(), "write it anew: python -m tests.phases_page"


AT = NOW + timedelta(minutes=1)
FIRST = {"attempt": 1, "look": 0, "at": AT}
SUM = {"reason": "R", "message": "m", "at": AT}


def asked() -> Simulation:
    return Simulation(step("a"))


def begun() -> Simulation:
    simulation = Simulation(step("a"))
    simulation.begin("a", "token")
    return simulation


def looking() -> Simulation:
    simulation = Simulation(step("a"), script={"a": [LATER]})
    simulation.go()
    return simulation


def suspended() -> Simulation:
    simulation = Simulation(suspend("a"), script={"a": [WAIT]})
    simulation.go()
    return simulation


def succeeded() -> Simulation:
    simulation = Simulation(step("a"), step("b"), script={"b": [LATER]})
    simulation.go()
    return simulation


def opened() -> Simulation:
    return Simulation(group("a", step("b")))


def ended() -> Simulation:
    simulation = Simulation(step("a"))
    simulation.go()
    return simulation


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (asked, Asked(step="a", due=AT, **FIRST)),
        (begun, Asked(step="a", due=AT, attempt=2, look=0, at=AT)),
        (suspended, Asked(step="a", due=AT, attempt=2, look=0, at=AT)),
        (succeeded, Asked(step="a", due=AT, attempt=2, look=0, at=AT)),
        (opened, Asked(step="a", due=AT, **FIRST)),
        (looking, Began(step="a", token="t", **FIRST)),
        (asked, Began(step="a", token="", **FIRST)),
        (asked, Began(step="a", token="t", attempt=2, look=0, at=AT)),
        (suspended, Began(step="a", token="t", **FIRST)),
        (opened, Began(step="a", token="t", **FIRST)),
        (asked, Reported(step="a", token="", phase=Phase.SUCCEEDED, at=AT)),
        (begun, Reported(step="a", token="other", phase=Phase.SUCCEEDED, at=AT)),
        (begun, Reported(step="a", token="token", phase=Phase.SKIPPED, at=AT)),
        (opened, Reported(step="a", token="token", phase=Phase.SUCCEEDED, at=AT)),
        (begun, Released(step="a", at=AT)),
        (asked, Released(step="a", at=AT)),
        (opened, Released(step="a", at=AT)),
        (asked, Opened(step="a", at=AT)),
        (opened, Opened(step="a", at=AT)),
        (asked, Concluded(step="a", phase=Phase.RUNNING, **SUM)),
        (begun, Concluded(step="a", phase=Phase.PENDING, **SUM)),
        (asked, Concluded(step="a", phase=Phase.ERRORED, **SUM)),
        (succeeded, Concluded(step="a", phase=Phase.SUCCEEDED, **SUM)),
        (succeeded, Concluded(step="a", phase=Phase.FAILED, **SUM)),
        (asked, Concluded(step="nobody", phase=Phase.FAILED, **SUM)),
        (begun, Ended(phase=Phase.SUCCEEDED, **SUM)),
        (begun, Ended(phase=Phase.SUSPENDED, **SUM)),
        (asked, Ended(phase=Phase.PENDING, **SUM)),
        (begun, EndRequested(phase=Phase.SUCCEEDED, **SUM)),
        (ended, EndRequested(phase=Phase.ABORTED, **SUM)),
        (ended, Ended(phase=Phase.SUCCEEDED, **SUM)),
        (ended, Opened(step="a", at=AT)),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_an_event_that_does_not_fit_is_refused_and_changes_nothing(
    state, event: EngineEvent
):
    simulation = state()
    before = repr(simulation.run)

    with pytest.raises(InvalidTransitionError):
        record(simulation.run, event)

    assert repr(simulation.run) == before


def test_an_attempt_cannot_be_asked_for_twice():
    simulation = looking()
    found = simulation["a"]
    begun_again = Began(
        step="a", attempt=found.attempt, look=found.look, token="t", at=AT
    )
    reported = Reported(step="a", token="t", phase=Phase.RUNNING, at=AT)
    run = record(record(simulation.run, begun_again), reported)

    with pytest.raises(InvalidTransitionError):
        record(run, Asked(step="a", due=AT, **FIRST))


def test_work_that_was_taken_back_is_current_no_more():
    simulation = asked()
    assert is_current(simulation["a"], 1, 0)
    assert not is_current(simulation["a"], 1, 1)

    simulation.request_end()

    assert not is_current(simulation["a"], 1, 0)


def test_a_run_that_has_ended_is_due_never_and_nothing_follows():
    simulation = ended()

    assert next_due(simulation.run) is None
    assert list(decide(simulation.run, AT)) == []
    assert advance(simulation.run, AT) == (simulation.run, ())


def test_advance_returns_the_run_and_what_is_to_be_enqueued():
    simulation = Simulation(group("g", step("a")), step("b"))

    run, work = advance(simulation.start, NOW)

    assert run == simulation.run
    assert [item.step for item in work] == ["a"]


def test_next_due_is_the_earliest_of_what_time_alone_changes():
    simulation = Simulation(
        group("g", step("a", timeout="5m"), timeout="7m"),
        script={"a": [LATER]},
        timeout="1h",
    )
    simulation.go()
    first = next_due(simulation.run)
    token = simulation.begin("a")
    in_flight = next_due(simulation.run)

    assert first == NOW + timedelta(minutes=5)
    # an attempt in flight finishes; the workflow's time runs on
    assert in_flight == NOW + timedelta(hours=1)
    assert token
