"""When a wait for approval is told again: by the stored times, and the step's word."""

from datetime import timedelta

import pytest

from gitops_wf.core.engine import Reminded
from gitops_wf.core.identifiers import StepName
from gitops_wf.core.reminding import NEVER, Reminders
from gitops_wf.core.run import Remind
from tests.simulation import DAG, NOW, WAIT, Simulation, suspend

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DAILY = Reminders(interval=DAY, most=3)


def waiting(**reminds: Remind | None) -> Simulation:
    """A run whose steps of these names wait, each with its own word or none."""
    simulation = Simulation(
        *(suspend(name) for name in reminds),
        script={name: [{**WAIT, "remind": own}] for name, own in reminds.items()},
        mode=DAG,
    )
    simulation.go()
    return simulation


def hours(simulation: Simulation, reminders: Reminders) -> list[tuple[str, float]]:
    """Every reminder that comes where each is told when it is due: whose, and when."""
    told = []
    while (coming := reminders.next(simulation.run)) is not None:
        told.append((coming.step, (coming.at - NOW) / HOUR))
        simulation.record(Reminded(step=coming.step, at=coming.at))
    return told


@pytest.mark.parametrize(
    ("own", "at"),
    [
        (None, [24, 48, 72]),
        (Remind(), [24, 48, 72]),
        (Remind(after=4 * HOUR), [4, 28, 52]),
        (Remind(interval=12 * HOUR), [12, 24, 36]),
        (Remind(after=4 * HOUR, interval=12 * HOUR), [4, 16, 28]),
        (Remind(after=4 * HOUR, most=1), [4]),
        (Remind(most=0), []),
    ],
)
def test_a_step_s_own_word_counts_and_what_it_leaves_out_is_the_daemon_s(own, at):
    assert [hour for _, hour in hours(waiting(w=own), DAILY)] == at


@pytest.mark.parametrize(
    ("own", "at"),
    [
        (None, []),
        (Remind(most=2), []),
        (Remind(after=4 * HOUR, most=2), [4, 8]),
        (Remind(interval=6 * HOUR, most=2), [6, 12]),
    ],
)
def test_where_the_daemon_reminds_nobody_a_step_that_says_when_still_does(own, at):
    assert [hour for _, hour in hours(waiting(w=own), NEVER)] == at


def test_each_of_several_waits_is_told_in_its_own_time():
    run = waiting(daily=None, silent=Remind(most=0), soon=Remind(after=HOUR))

    assert hours(run, Reminders(interval=DAY, most=2)) == [
        ("soon", 1),
        ("daily", 24),
        ("soon", 25),
        ("daily", 48),
    ]


def test_the_next_is_counted_from_when_the_last_was_told():
    run = waiting(w=Remind(after=HOUR, interval=2 * HOUR))

    run.record(Reminded(step=StepName("w"), at=NOW + 5 * HOUR))

    coming = DAILY.next(run.run)
    assert coming is not None
    assert coming.at == NOW + 7 * HOUR
