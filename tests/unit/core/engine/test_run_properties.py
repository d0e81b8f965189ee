"""What holds of every workflow, whatever happens to its run, found by hypothesis."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_wf.adapters.sql_store.payload import Payload
from gitops_wf.core.engine import (
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
    is_current,
    next_due,
    record,
)
from gitops_wf.core.errors import InvalidTransitionError
from gitops_wf.core.identifiers import StepName
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.workflow import Step
from tests.simulation import (
    DAG,
    ERROR,
    FINAL,
    LATER,
    NO,
    OK,
    STEP_BY_STEP,
    WAIT,
    Result,
    Simulation,
    group,
    pause,
    step,
)

RUNS = Payload(Run)
MODES = st.sampled_from([STEP_BY_STEP, DAG])
TIMEOUTS = st.sampled_from([None, None, "1m", "20m"])
RESULTS: st.SearchStrategy[Result] = st.sampled_from(
    [OK, OK, NO, ERROR, LATER, WAIT, FINAL, pause("30s"), {**OK, "outputs": {"x": 1}}]
)


@st.composite
def _step(draw, name: str, earlier: Sequence[str], makers: Sequence[str]) -> Step:
    """A step that names only earlier ones, as the validator sees to."""
    more: dict[str, Any] = {"timeout": draw(TIMEOUTS)}
    conditions: list[str | None] = [None, None, "always", "true", "false"]
    conditions += [f"status.{other}.failed" for other in earlier]
    more["when"] = draw(st.sampled_from(conditions))
    if draw(st.booleans()):
        more["retry"] = draw(st.integers(0, 3))
    if earlier and draw(st.booleans()):
        more["depends_on"] = draw(st.sampled_from(earlier))
    if makers and draw(st.booleans()):
        more["inputs"] = {f"o_{draw(st.sampled_from(makers))}": "key"}
    if draw(st.integers(0, 3)) == 0:
        more["outputs"] = {f"o_{name}": "x"}
    if draw(st.integers(0, 3)) == 0:
        more["targets"] = "eu us"
    return step(name, **more)


@st.composite
def simulations(draw) -> Simulation:
    """A run of a random workflow that has not begun."""
    steps: list[Step] = []
    names: list[str] = []
    makers: list[str] = []

    def one(name: str, earlier: list[str]) -> Step:
        made = draw(_step(name, earlier, makers))
        makers.extend([name] if made.outputs else [])
        return made

    for number in range(draw(st.integers(0, 4))):
        if draw(st.integers(0, 2)) == 0:
            inner: list[Step] = []
            around = list(names)
            for sub in range(draw(st.integers(0, 3))):
                inner.append(one(f"s{number}{sub}", list(names)))
                names.append(f"s{number}{sub}")
            condition = draw(st.sampled_from([None, None, "always", "false"]))
            more: dict[str, Any] = {"timeout": draw(TIMEOUTS), "when": condition}
            if around and draw(st.booleans()):
                more["depends_on"] = draw(st.sampled_from(around))
            mode = draw(st.none() | MODES)
            steps.append(group(f"g{number}", *inner, mode=mode, **more))
            names.append(f"g{number}")
        else:
            steps.append(one(f"a{number}", list(names)))
            names.append(f"a{number}")
    return Simulation(
        *steps,
        mode=draw(MODES),
        sub_mode=draw(MODES),
        timeout=draw(TIMEOUTS),
        final_timeout="5m",
    )


def is_stuck(s: Simulation) -> bool:
    """Whether nothing will ever happen again by itself to a run that has not ended.

    A step in a worker's hands is the executor's to bring back.
    """
    if s.run.phase.is_final:
        return False
    in_hand = any(step.token for step in s.run.steps)
    queued = any(
        is_current(s.run.step(asked.step), asked.attempt, asked.look)
        for asked in s.queue
    )
    return not (in_hand or queued or next_due(s.run))


def check(s: Simulation) -> None:
    """What must hold after every event."""
    assert not is_stuck(s)
    due = next_due(s.run)
    assert due is None or due > s.now
    for found in s.run.steps:
        if found.is_asked:
            asked_for = (found.name, found.attempt, found.look)
            assert asked_for in {(a.step, a.attempt, a.look) for a in s.asked}
    if s.run.phase.is_final:
        assert all(found.phase.is_final for found in s.run.steps)
        assert s.run.phase is not Phase.SKIPPED


def happen(s: Simulation, draw) -> None:
    """Let one thing happen, of those that the services let happen."""
    ready = [a for a in s.queue if a.due <= s.now and _is_wanted(s, a)]
    held = [found for found in s.run.steps if found.token]
    waiting = s.run.waiting
    kinds = ["pass"]
    kinds += ["begin"] * 3 * bool(ready) + ["report"] * 4 * bool(held)
    kinds += ["release"] * bool(waiting) + ["again"] * bool(held)
    kinds += ["end"] if draw(st.integers(0, 15)) == 0 else []
    match draw(st.sampled_from(kinds)):
        case "begin":
            asked = draw(st.sampled_from(ready))
            s.queue.remove(asked)
            s.begin(asked.step)
        case "again":
            s.begin(draw(st.sampled_from(held)).name)
        case "report":
            found = draw(st.sampled_from(held))
            result = draw(RESULTS)
            if draw(st.integers(0, 5)) == 0 and not found.look:
                result = {**WAIT, "reason": "ApprovalRequired"}
            s.report(found.name, found.token, result)
        case "release":
            s.record(Released(step=draw(st.sampled_from(waiting)).name, at=s.now))
        case "end":
            s.record(
                EndRequested(phase=Phase.ABORTED, reason="R", message="m", at=s.now)
            )
        case "pass":
            moment = s.next_moment()
            some = s.now + timedelta(seconds=draw(st.integers(0, 2_000)))
            s.now = moment if moment and draw(st.booleans()) else some
            s.now = max(s.now, s.events[-1].at if s.events else s.now)
    s.advance()


def _is_wanted(s: Simulation, asked: Asked) -> bool:
    return is_current(s.run.step(asked.step), asked.attempt, asked.look)


def drive(s: Simulation, data, most: int = 30) -> None:
    for _ in range(data.draw(st.integers(most // 2, most))):
        if s.run.phase.is_final:
            return
        happen(s, data.draw)
        check(s)


FEW = settings(max_examples=40)


@FEW
@given(simulations(), st.data())
def test_no_run_is_ever_without_a_next_action_or_an_end(s: Simulation, data):
    check(s)

    drive(s, data)


@FEW
@given(simulations(), st.data())
def test_every_run_ends_when_enough_time_passes(s: Simulation, data):
    drive(s, data, most=12)
    results = data.draw(st.lists(RESULTS, min_size=1, max_size=4))

    for turn in range(2_000):
        if s.run.phase.is_final:
            break
        for found in s.run.steps:
            if s.run.step(found.name).token:
                s.report(found.name, s[found.name].token, results[turn % len(results)])
        ready = [a for a in s.queue if a.due <= s.now]
        for asked in ready:
            s.queue.remove(asked)
            if not s.run.phase.is_final and _is_wanted(s, asked):
                s.begin(asked.step)
        if not ready and (moment := s.next_moment()) is not None:
            # Nobody has to be patient: the test leaps over health waits.
            s.now = max(moment, s.now + timedelta(minutes=5))
            s.advance()

    assert s.run.phase.is_final


@FEW
@given(simulations(), st.data())
def test_replaying_any_prefix_gives_the_same_state_also_from_the_store(
    s: Simulation, data
):
    drive(s, data)
    cut = data.draw(st.integers(0, len(s.events)))

    replayed = s.start
    for event in s.events[:cut]:
        replayed = record(replayed, event)
    stored = RUNS.load(RUNS.dump(replayed))
    assert stored == replayed
    for event in s.events[cut:]:
        stored = record(stored, event)

    assert stored == s.run
    assert RUNS.load(RUNS.dump(s.run)) == s.run


@FEW
@given(simulations(), st.data())
def test_advance_has_nothing_left_to_do_and_reads_no_more_than_the_stored_run(
    s: Simulation, data
):
    drive(s, data)
    stored = RUNS.load(RUNS.dump(s.run))
    s.now = s.next_moment() or s.now
    asked = len(s.asked)

    s.advance()

    assert advance(stored, s.now) == (s.run, tuple(s.asked[asked:]))
    assert advance(s.run, s.now) == (s.run, ())
    assert next_due(RUNS.load(RUNS.dump(s.run))) == next_due(s.run)


@FEW
@given(simulations(), st.data())
def test_always_steps_whose_group_began_run_exactly_once(s: Simulation, data):
    drive(s, data, most=10)
    if data.draw(st.booleans()) and not s.run.phase.is_final:
        s.record(EndRequested(phase=Phase.ABORTED, reason="R", message="m", at=s.now))
        s.advance()

    # From here workers do at once what they are asked, and succeed.
    for _ in range(500):
        if s.run.phase.is_final:
            break
        for found in s.run.steps:
            if s.run.step(found.name).token:
                s.report(found.name, s[found.name].token, OK)
        s.go()
        for waiting in s.run.waiting:
            s.record(Released(step=waiting.name, at=s.now))
            s.advance()
        if s.queue or next_due(s.run):
            s.now = max(s.now, s.next_moment() or s.now)
            s.advance()

    assert s.run.phase.is_final
    for found in s.run.steps:
        out_of_time = found.reason in {Reason.FINAL_TIMEOUT, Reason.TIMEOUT}
        if _is_always(s, found) and _parents_began(s, found) and not out_of_time:
            begun = [e for e in s.events if isinstance(e, Began)]
            assert any(e.step == found.name for e in begun), found
            firsts = [
                e
                for e in s.events
                if isinstance(e, Asked) and e.step == found.name and e.attempt == 1
            ]
            assert sum(not e.look for e in firsts) == 1


def _is_always(s: Simulation, found: StepRun) -> bool:
    declared = {declared.name: declared for declared, _ in s.run.workflow.walk()}
    named = declared.get(found.name)
    return named is not None and named.condition == "always" and not found.is_container


def _parents_began(s: Simulation, found: StepRun) -> bool:
    return found.parent is None or any(
        isinstance(e, Opened) and e.step == found.parent for e in s.events
    )


@FEW
@given(simulations(), st.data())
def test_an_event_that_does_not_fit_raises_and_changes_nothing(s: Simulation, data):
    drive(s, data)
    before = RUNS.dump(s.run)
    names = [*(found.name for found in s.run.steps), StepName("nobody")]
    name = data.draw(st.sampled_from(names))
    event = data.draw(st.sampled_from(_events(s, name)))

    try:
        after = record(s.run, event)
    except InvalidTransitionError:
        after = s.run

    assert RUNS.dump(s.run) == before
    if isinstance(event, Asked | Began | Reported | Released | Opened | Concluded):
        found = {f.name: f for f in s.run.steps}.get(name)
        if found is None or found.phase.is_final or s.run.phase.is_final:
            assert after is s.run
        if found is not None and found.is_container:
            assert after is s.run or isinstance(event, Opened | Concluded)


def _events(s: Simulation, name: StepName) -> list[EngineEvent]:
    at = s.now
    begun = {"step": name, "at": at, "attempt": 1, "look": 0}
    ended = {"reason": "R", "message": "m", "at": at}
    return [
        Asked(**begun, due=at),
        Began(**begun, token="other"),
        Began(**begun, token=""),
        Reported(step=name, token="other", phase=Phase.SUCCEEDED, at=at),
        Released(step=name, at=at),
        Opened(step=name, at=at),
        *(Concluded(step=name, phase=phase, **ended) for phase in Phase),
        *(Ended(phase=phase, **ended) for phase in Phase),
        *(EndRequested(phase=phase, **ended) for phase in Phase),
    ]
