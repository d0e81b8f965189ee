"""Each environment has its turn, whatever befalls the one before, or the clock."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_wf.adapters.sql_store import open_store
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.upkeep.state import UpkeepState
from gitops_wf.ports.store import StoreUnavailableError
from gitops_wf.services.upkeep_rounds import UpkeepRounds
from tests.fakes.clock import FakeClock
from tests.shop import PROD, STAGING, fill

INTERVAL = timedelta(minutes=5)


class Line:
    def __init__(self, store):
        self.store = store
        self.clock = FakeClock()
        self.interval = INTERVAL
        self.begun = []
        self.prepared = 0
        self.answers = {}
        self.rounds = UpkeepRounds(
            store=store,
            clock=self.clock,
            interval=lambda _: self.interval,
            prepare=self.prepare,
            look=self.look,
            begin=self.begun.append,
        )

    def prepare(self):
        self.prepared += 1
        if self.prepared == 1:
            raise StoreUnavailableError("it is away", reason="StoreUnreachable")

    def look(self, environment):
        answer = self.answers.pop(environment, None)
        if isinstance(answer, Exception):
            raise answer
        return answer and self.clock.now() + answer

    def wait(self, span):
        """Let time pass, and each look be carried out as soon as it is due."""
        end, done = self.clock.now() + span, []
        while (due := self.rounds.act()) is not None and due <= end:
            self.clock.pass_time(max(due - self.clock.now(), timedelta()))
            self.rounds.act()
            while self.begun:
                done.append(self.begun[0])
                self.rounds.carry_out(self.begun.pop(0))
        self.clock.pass_time(end - self.clock.now())
        return done


@pytest.fixture
def line(tmp_path):
    store = open_store(fill(tmp_path).store)
    line = Line(store)
    with pytest.raises(StoreUnavailableError):
        line.rounds.act()
    yield line
    assert line.prepared == 2
    store.close()


def test_each_has_one_turn_in_each_interval(line):
    line.wait(INTERVAL + timedelta(minutes=1))

    done = line.wait(3 * INTERVAL)

    assert sorted(done) == [PROD] * 3 + [STAGING] * 3


def test_the_start_is_left_a_minute(line):
    assert line.wait(timedelta(seconds=59)) == []


@pytest.mark.parametrize("error", [RuntimeError("a bug"), None])
def test_a_look_that_fails_has_its_next_turn_as_any(line, error):
    line.answers[PROD] = error
    line.wait(INTERVAL + timedelta(minutes=1))

    assert line.wait(2 * INTERVAL).count(PROD) == 2


def test_who_wants_to_look_again_sooner_does(line):
    line.wait(INTERVAL + timedelta(minutes=1))
    line.answers[PROD] = timedelta(seconds=5)

    assert line.wait(2 * INTERVAL).count(PROD) == 3


def test_a_clock_that_is_set_back_holds_nothing_up(line):
    line.wait(INTERVAL + timedelta(minutes=1))
    line.clock.pass_time(timedelta(hours=-3))

    assert sorted(line.wait(INTERVAL)) == [PROD, STAGING]


def test_what_is_gone_or_not_to_be_compared_is_left_alone_and_forgotten(line):
    eu = TargetName("eu")
    with line.store.transaction() as transaction:
        transaction.save_upkeep(PROD, eu, UpkeepState(number=1, problem="x"))
        transaction.save_upkeep(STAGING, eu, UpkeepState(number=1, problem="x"))
        record = transaction.environment(PROD)
        transaction.save_environment(replace(record, is_removed=True))

    assert set(line.wait(2 * INTERVAL)) == {STAGING}
    with line.store.read() as reader:
        assert set(reader.upkeeps()) == {STAGING}

    line.interval = timedelta()
    assert line.wait(2 * INTERVAL) == []
    with line.store.read() as reader:
        assert reader.upkeeps() == {}
