"""Each change for the worse or the better is told once; heals that do not last, too."""

from datetime import UTC, datetime, timedelta

import pytest

from gitops_wf.core.health import Health, HealthStatus
from gitops_wf.core.inventory import ObjectRef
from gitops_wf.core.upkeep.differing import FieldDrift
from gitops_wf.core.upkeep.findings import Drifted, DriftKind, Findings
from gitops_wf.core.upkeep.state import UpkeepState, healed, settle, unhealed

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALM = timedelta(minutes=15)
WEB = ObjectRef(group="apps", kind="Deployment", namespace="shop", name="web")
API = ObjectRef(group="apps", kind="Deployment", namespace="shop", name="api")


def drifted(ref=WEB, kind=DriftKind.CHANGED, managers=("kubectl-edit",)):
    field = FieldDrift(path="/spec/replicas", desired="3", live="5")
    return Drifted(ref=ref, kind=kind, fields=(field,), managers=managers)


def health(word, ref=WEB):
    return {ref: HealthStatus(health=word, message=f"it is {word}")}


class Line:
    """A target that is looked at again and again."""

    def __init__(self):
        self.state = UpkeepState(number=1)
        self.now = NOON

    def look(self, *objects, after=timedelta(0), **found):
        self.now += after
        settled = settle(
            self.state, Findings(drifted=objects, **found), self.now, calm=CALM
        )
        self.state = settled.state
        return [f"{c.edge}/{c.reason}" for c in settled.changes]

    def heal(self, ref=WEB):
        self.state = healed(self.state, [ref], self.now)


MINUTE = timedelta(minutes=1)


def test_drift_is_told_once_and_its_end_once():
    line = Line()

    assert line.look(drifted()) == ["drift/Drifted"]
    assert line.look(drifted(), after=MINUTE) == []
    assert line.state.drifted[0].since == NOON
    assert line.look(after=MINUTE) == ["healed/InSync"]
    assert line.look(after=MINUTE) == []
    assert not line.state.is_remarkable


def outdated(ref=WEB):
    return Drifted(
        ref=ref, kind=DriftKind.OUTDATED, note="is a copy of what was before"
    )


def test_what_is_outdated_is_no_drift_and_is_told_once_it_was_renewed():
    line = Line()

    assert line.look(outdated()) == []
    assert line.state.healable(line.now, self_heal=False) == (WEB,)
    line.heal()
    assert line.look() == ["renewed/Renewed"]
    assert line.look(after=CALM) == []


def test_without_self_heal_drift_is_left_to_people_and_what_is_outdated_is_not():
    line = Line()

    assert line.look(drifted(), outdated(API)) == ["drift/Drifted"]

    assert line.state.healable(line.now, self_heal=False) == (API,)
    assert set(line.state.healable(line.now)) == {API, WEB}


def test_a_source_that_changes_again_and_again_is_fought_by_nobody():
    line = Line()
    for _ in range(5):
        line.look(outdated())
        line.heal()
        assert line.look() == ["renewed/Renewed"]
        line.now = line.state.look_again(line.now)


def test_what_was_outdated_and_is_edited_by_then_is_told_as_drift():
    line = Line()
    line.look(outdated())

    assert line.look(drifted()) == ["drift/Drifted"]
    assert line.look() == ["healed/InSync"]


def test_a_second_object_is_a_drift_of_its_own():
    line = Line()
    line.look(drifted())

    assert line.look(drifted(), drifted(API)) == ["drift/Drifted"]
    assert line.look(drifted(API)) == ["healed/InSync"]


def test_a_heal_that_lasts_is_told_and_forgotten_in_time():
    line = Line()
    line.look(drifted())
    line.heal()

    assert line.look() == ["healed/Healed"]
    assert line.state.look_again(line.now) == line.now + timedelta(seconds=5)
    assert line.look(after=CALM) == []
    assert not line.state.is_remarkable


def test_who_undoes_heals_is_named_and_healed_against_ever_more_seldom():
    line = Line()
    pauses = []
    for _ in range(6):
        line.look(drifted(managers=("rival",)))
        assert line.state.healable(line.now) == (WEB,)
        line.heal()
        line.look()
        again = line.state.look_again(line.now)
        pauses.append((again - line.now).total_seconds())
        line.look(drifted(managers=("rival",)), after=(again - line.now) / 2)
        assert line.state.healable(line.now) == ()
        line.now = again

    assert pauses == [5, 15, 45, 135, 300, 300]


def test_a_fight_is_told_once_with_the_field_and_the_other_manager():
    line = Line()
    for _ in range(3):
        line.look(drifted())
        line.heal()
        line.look()
        line.now = line.state.look_again(line.now)
    settled = settle(line.state, Findings(drifted=(drifted(),)), line.now, calm=CALM)

    (change,) = settled.changes

    assert change.reason == "HealFought"
    assert (
        "Deployment/shop/web (/spec/replicas): kubectl-edit undoes it" in change.message
    )
    assert "3 heals in a row" in change.message
    line.state = settled.state
    assert line.look(drifted()) == []
    line.heal()
    assert line.look() == []  # nobody is told of each round of it
    assert line.look(after=CALM) == ["healed/Healed"]


def test_a_heal_that_fails_is_told_once_and_is_no_fight():
    line = Line()
    line.look(drifted())
    told = []
    for _ in range(5):
        line.heal()
        failed = unhealed(line.state, [WEB, API], "spec.selector is immutable")
        told += [change.reason for change in failed.changes]
        line.state = failed.state
        assert line.state.problem == "spec.selector is immutable"
        assert line.look(drifted(), after=6 * MINUTE) == []

    assert told == ["HealFailed"]


@pytest.mark.parametrize("kind", [DriftKind.CLAIMED, DriftKind.DELETING])
def test_what_another_has_or_what_is_going_is_not_healed(kind):
    line = Line()

    line.look(drifted(kind=kind))

    assert line.state.healable(line.now) == ()


def test_one_look_at_a_failed_object_pages_nobody_and_half_a_minute_does():
    line = Line()

    assert line.look(health=health(Health.FAILED)) == []
    assert line.state.look_again(line.now) == NOON + timedelta(seconds=30)
    assert line.look(health=health(Health.FAILED), after=MINUTE) == [
        "degraded/Degraded"
    ]
    assert line.look(health=health(Health.FAILED), after=MINUTE) == []
    assert line.look(health=health(Health.IN_PROGRESS), after=MINUTE) == []
    assert line.look(health=health(Health.CURRENT), after=MINUTE) == [
        "recovered/Recovered"
    ]
    assert not line.state.is_remarkable


def test_a_pod_that_crashes_between_looks_as_under_way_counts_as_failed():
    line = Line()
    line.look(health=health(Health.FAILED))
    line.look(health=health(Health.IN_PROGRESS), after=timedelta(seconds=20))

    found = line.look(health=health(Health.IN_PROGRESS), after=timedelta(seconds=10))

    assert found == ["degraded/Degraded"]


def test_a_rolling_restart_pages_nobody_within_ten_minutes():
    line = Line()

    assert line.look(health=health(Health.IN_PROGRESS)) == []
    assert line.look(health=health(Health.IN_PROGRESS), after=9 * MINUTE) == []
    assert line.look(health=health(Health.CURRENT), after=MINUTE / 2) == []
    assert line.look(health=health(Health.IN_PROGRESS), after=9 * MINUTE) == []
    assert line.look(health=health(Health.IN_PROGRESS), after=10 * MINUTE) == [
        "degraded/Degraded"
    ]


def test_an_object_that_is_not_there_is_drift_and_does_not_count_as_recovered():
    line = Line()
    line.look(health=health(Health.FAILED))
    line.look(health=health(Health.FAILED), after=MINUTE)

    assert line.look(health=health(Health.NOT_FOUND)) == []
    assert line.state.degraded is not None


@pytest.mark.parametrize("word", [Health.SUSPENDED, Health.UNKNOWN])
def test_what_is_paused_or_cannot_be_judged_is_not_degraded(word):
    line = Line()

    assert line.look(health=health(word)) == []
    assert line.look(health=health(word), after=20 * MINUTE) == []


def test_a_look_that_could_not_find_out_changes_nothing_else():
    line = Line()
    line.look(drifted())
    before = line.state

    assert line.look(problem="no answer after 3 s") == []
    assert line.look(problem="no answer after 4 s") == []
    assert line.state.drifted == before.drifted
    assert line.state.problem == "no answer after 3 s"
    assert line.look(drifted()) == []
    assert line.state == before
