"""Which revision runs next and which are superseded: the rules of superseding."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_wf.core.environment import After, Commits
from gitops_wf.core.phases import Phase
from gitops_wf.core.queue import Queue, arrange, held_by
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run
from tests.shop import revision
from tests.simulation import LATER, NOW, WAIT, Simulation, a_run, pause, step, suspend

EVERY_POLICY = pytest.mark.parametrize("commits", list(Commits))


def pending(*numbers: int, rollbacks: tuple[int, ...] = ()) -> list[Revision]:
    return [
        revision(
            "prod",
            n,
            f"{n:x}",
            Phase.PENDING,
            rollback_of=1 if n in rollbacks else None,
        )
        for n in numbers
    ]


def running(number: int = 1) -> Run:
    simulation = Simulation(
        step("a"), subject={"number": number}, script={"a": [LATER]}
    )
    return simulation.go()


def waiting(number: int = 1) -> Run:
    simulation = Simulation(
        suspend("w"), subject={"number": number}, script={"w": [WAIT]}
    )
    return simulation.go()


def arranged(
    commits: Commits, revisions: list[Revision], active: Run | None = None, most=10
) -> Queue:
    if active is not None:
        now_running = revision("prod", active.subject.number, "0", Phase.RUNNING)
        revisions = [now_running, *revisions]
    return arrange(
        commits=commits, max_pending=most, unfinished=revisions, active=active
    )


@EVERY_POLICY
def test_nothing_follows_where_nothing_is_pending(commits):
    assert arranged(commits, []) == Queue()
    assert arranged(commits, [], running()) == Queue()


@EVERY_POLICY
def test_the_only_pending_revision_is_next(commits):
    (one,) = pending(1)

    assert arranged(commits, [one]) == Queue(next=one)


@pytest.mark.parametrize("commits", [Commits.EVERY, Commits.STRICT])
def test_each_runs_in_order(commits):
    one, two, three = pending(1, 2, 3)

    queue = arranged(commits, [one, two, three])

    assert queue == Queue(next=one)


def test_under_latest_the_newest_wins_and_older_ones_end():
    one, two, three = pending(1, 2, 3)

    queue = arranged(Commits.LATEST, [one, two, three])

    assert queue == Queue(next=three, superseded=((1, 3), (2, 3)))


@EVERY_POLICY
def test_one_run_at_a_time(commits):
    assert arranged(commits, pending(2), running()).next is None


@pytest.mark.parametrize(
    ("commits", "active", "ends_for"),
    [
        (Commits.EVERY, running(), None),
        (Commits.EVERY, waiting(), 3),
        (Commits.LATEST, running(), 3),
        (Commits.LATEST, waiting(), 3),
        (Commits.STRICT, running(), None),
        (Commits.STRICT, waiting(), None),
    ],
)
def test_when_a_newer_revision_ends_the_run_in_progress(commits, active, ends_for):
    assert arranged(commits, pending(2, 3), active).end_active_for == ends_for


def test_a_run_that_waits_for_a_duration_is_not_superseded_under_every():
    simulation = Simulation(
        suspend("w"), subject={"number": 1}, script={"w": [pause("1h")]}
    )
    simulation.go()

    assert arranged(Commits.EVERY, pending(2), simulation.run).end_active_for is None


def test_a_run_that_ends_already_is_not_asked_again():
    simulation = Simulation(
        step("a"),
        step("tell", when="always"),
        subject={"number": 1},
        script={"tell": [LATER]},
    )
    simulation.request_end()

    assert arranged(Commits.LATEST, pending(2), simulation.run).end_active_for is None


@pytest.mark.parametrize(
    ("count", "kept"), [(10, range(2, 12)), (11, [12]), (14, [15])]
)
def test_more_than_max_pending_leaves_only_the_newest_under_every(count, kept):
    revisions = pending(*range(2, 2 + count))

    queue = arranged(Commits.EVERY, revisions, running())

    gone = {number for number, _ in queue.superseded}
    assert [r.number for r in revisions if r.number not in gone] == list(kept)
    assert all(newer == revisions[-1].number for _, newer in queue.superseded)


def test_strict_knows_no_max_pending():
    queue = arranged(Commits.STRICT, pending(*range(2, 40)), running())

    assert queue.superseded == ()


@EVERY_POLICY
@pytest.mark.parametrize("active", [running(), waiting()])
def test_a_rollback_goes_first_under_every_policy(commits, active):
    queue = arranged(commits, pending(2, 3, 4, rollbacks=(4,)), active)

    assert queue.superseded == ((2, 4), (3, 4))
    assert queue.end_active_for == 4


@EVERY_POLICY
def test_a_rollback_is_next_before_older_revisions(commits):
    revisions = pending(2, 3, rollbacks=(3,))

    queue = arranged(commits, revisions)

    assert queue.next == revisions[-1]
    assert queue.superseded == ((2, 3),)


@pytest.mark.parametrize("commits", [Commits.EVERY, Commits.STRICT])
def test_what_came_after_a_rollback_runs_after_it(commits):
    revisions = pending(2, 3, 4, rollbacks=(3,))

    queue = arranged(commits, revisions, running())

    assert queue.superseded == ((2, 3),)
    assert queue.end_active_for == 3
    assert arranged(commits, revisions[1:]).next == revisions[1]


def test_under_latest_a_newer_revision_wins_over_a_rollback():
    queue = arranged(Commits.LATEST, pending(2, 3, rollbacks=(2,)), running())

    assert queue.superseded == ((2, 3),)
    assert queue.end_active_for == 3


def test_the_newest_of_several_rollbacks_counts():
    queue = arranged(Commits.EVERY, pending(2, 3, rollbacks=(2, 3)), running())

    assert queue == Queue(superseded=((2, 3),), end_active_for=3)


@EVERY_POLICY
def test_an_older_pending_revision_never_ends_a_newer_run(commits):
    queue = arranged(commits, pending(2, rollbacks=(2,)), waiting(number=5))

    assert queue.end_active_for is None


def test_a_revision_whose_run_is_in_progress_is_not_pending():
    retried = revision("prod", 1, "1", Phase.PENDING)
    run = a_run(running().workflow, number=1)

    queue = arrange(
        commits=Commits.EVERY, max_pending=10, unfinished=[retried], active=run
    )

    assert queue == Queue()


GOOD = {Phase.SUCCEEDED, Phase.SKIPPED}
STAGING = After(environment="staging", soak=timedelta(minutes=30))
PROD = revision("prod", 5, "5", Phase.PENDING, position=50)


def staging(number: int, position: int, phase: Phase, **more) -> Revision:
    return revision("staging", number, f"{number}", phase, position=position, **more)


def test_an_environment_that_comes_after_another_waits_for_its_first_revision():
    hold = held_by(STAGING, [], PROD, NOW)

    assert hold is not None
    assert hold.message == "waits for a first revision of staging"
    assert not hold.is_dead_end


def test_only_revisions_at_or_before_this_commit_count():
    later = staging(3, 51, Phase.SUCCEEDED, ended=NOW - timedelta(days=1))

    hold = held_by(STAGING, [later], PROD, NOW)

    assert hold is not None
    assert hold.message == "waits for a first revision of staging"


def test_of_another_repository_the_newest_counts_whatever_its_place():
    far = After(environment="prod", repository="shared", soak=timedelta(minutes=30))
    later = staging(3, 51, Phase.SUCCEEDED, ended=NOW - timedelta(days=1))
    running = staging(4, 2, Phase.RUNNING)

    assert held_by(far, [later], PROD, NOW) is None
    hold = held_by(far, [running], PROD, NOW)
    assert hold is not None
    assert hold.message == "waits for shared/prod#4"


def test_the_same_commit_counts():
    same = staging(3, 50, Phase.SUCCEEDED, ended=NOW - timedelta(days=1))

    assert held_by(STAGING, [same], PROD, NOW) is None


def test_the_newest_such_revision_counts_even_if_an_older_one_succeeded():
    older = staging(1, 30, Phase.SUCCEEDED, ended=NOW - timedelta(days=1))
    newer = staging(2, 40, Phase.RUNNING)

    hold = held_by(STAGING, [newer, older], PROD, NOW)

    assert hold is not None
    assert hold.message == "waits for staging#2"
    assert hold.reason == "WaitingForEnvironment"
    assert hold.until is None


def test_an_end_that_holds_it_is_named():
    hold = held_by(STAGING, [staging(2, 40, Phase.FAILED)], PROD, NOW)

    assert hold is not None
    assert hold.message == "waits for staging#2, which has ended Failed"
    assert hold.is_dead_end


def test_it_has_to_hold_for_its_soak_first():
    done = staging(2, 40, Phase.SUCCEEDED, ended=NOW - timedelta(minutes=10))

    hold = held_by(STAGING, [done], PROD, NOW)

    assert hold is not None
    assert hold.until == NOW + timedelta(minutes=20)
    assert "30m" in hold.message
    assert held_by(STAGING, [done], PROD, NOW + timedelta(minutes=20)) is None


def test_an_adopted_revision_soaks_since_it_was_made():
    adopted = staging(1, 40, Phase.SUCCEEDED, ended=None, created=NOW)

    hold = held_by(STAGING, [adopted], PROD, NOW)

    assert hold is not None
    assert hold.until == NOW + timedelta(minutes=30)


@pytest.mark.parametrize("phase", [p for p in Phase if p not in GOOD])
def test_waiting_for_what_ended_otherwise_is_a_dead_end(phase):
    hold = held_by(STAGING, [replace(staging(2, 40, phase), phase=phase)], PROD, NOW)

    assert hold is not None
    assert hold.is_dead_end is phase.is_final
