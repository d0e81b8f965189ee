from datetime import timedelta

from gitops_wf.core.engine import anchored, next_due
from tests.simulation import Simulation, pause, step, suspend

HOURS = timedelta(hours=3)


def test_a_run_whose_times_are_past_is_left_alone():
    s = Simulation(step("a"), timeout="1h")
    s.begin("a")

    assert anchored(s.run, s.now) is s.run
    assert anchored(s.run, s.now + HOURS) is s.run


def test_limits_keep_their_distance_from_where_the_clock_is_now():
    s = Simulation(suspend("wait"), timeout="1h")
    token = s.begin("wait")
    s.report("wait", token, pause("10m"))
    left = next_due(s.run) - s.now

    moved = anchored(s.run, s.now - HOURS)

    assert next_due(moved) == s.now - HOURS + left
    assert moved.step("wait").started == s.now - HOURS
    assert anchored(moved, s.now - HOURS) is moved


def test_the_workflow_s_timeout_keeps_its_distance_too():
    s = Simulation(step("a"), timeout="1h")
    s.begin("a")

    moved = anchored(s.run, s.now - HOURS)

    assert moved.running_since == s.now - HOURS
