"""Whose turn it is to ask an API server that hangs, or fails."""

from contextlib import ExitStack
from datetime import timedelta

import pytest

from gitops_wf.core.identifiers import TargetName
from gitops_wf.services.reaching import LOOKS_PER_SERVER, Reaching
from tests.fakes.clock import FakeClock

SICK, TWIN, GOOD = (TargetName(name) for name in ("sick", "twin", "good"))
SERVERS = {SICK: "one", TWIN: "one", GOOD: "other"}


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def reaching(clock):
    return Reaching(clock=clock, server_of=SERVERS.__getitem__)


def hang(reaching, clock, *, hung=True):
    request = reaching.begun("one")
    clock.pass_time(timedelta(minutes=1))
    request.lost("no answer in time", hung=hung)


@pytest.mark.parametrize("turn", ["look", "release"])
def test_one_piece_of_work_asks_a_server_that_has_hung_after_a_pause(
    reaching, clock, turn
):
    hang(reaching, clock)
    ask = getattr(reaching, turn)
    with ask(SICK) as refusal:
        assert refusal.error == "no answer in time"
        assert refusal.until > clock.now()
    clock.pass_time(timedelta(seconds=10))

    with ask(SICK) as probe, ask(SICK) as other, ask(TWIN) as twin, ask(GOOD) as good:
        assert probe is None
        assert other.error == twin.error == "no answer in time"
        assert good is None
        reaching.begun("one").answered()
        with ask(SICK) as after:
            assert after is None


def test_a_probe_that_ends_leaves_its_turn_to_the_next(reaching, clock):
    hang(reaching, clock)
    clock.pass_time(timedelta(seconds=10))
    with reaching.release(SICK) as first:
        assert first is None
        hang(reaching, clock)

    clock.pass_time(timedelta(seconds=19))
    with reaching.look(SICK) as early:
        assert early is not None
    clock.pass_time(timedelta(seconds=1))
    with reaching.look(SICK) as second:
        assert second is None


def test_what_may_only_be_slow_is_asked_by_one_more_and_others_come_soon(
    reaching, clock
):
    reaching.begun("one")
    clock.pass_time(timedelta(seconds=5))

    with reaching.release(SICK) as probe, reaching.release(SICK) as other:
        assert probe is None
        assert other.error == ""
        assert other.until == clock.now() + timedelta(seconds=2)


def test_a_release_goes_on_trying_what_fails_at_once_for_it_takes_nobodys_place(
    reaching, clock
):
    hang(reaching, clock, hung=False)

    with reaching.release(SICK) as release, reaching.look(SICK) as look:
        assert release is None
        assert look.error == "no answer in time"


def test_looks_at_one_server_are_few_on_whichever_of_its_targets(reaching, clock):
    with ExitStack() as stack:
        for _ in range(LOOKS_PER_SERVER):
            assert stack.enter_context(reaching.look(SICK)) is None

        with reaching.look(TWIN) as beyond, reaching.look(GOOD) as good:
            assert beyond.until == clock.now() + timedelta(seconds=2)
            assert good is None
    with reaching.look(TWIN) as free:
        assert free is None


def test_work_of_no_target_never_waits(reaching):
    with reaching.release(None) as refusal:
        assert refusal is None
