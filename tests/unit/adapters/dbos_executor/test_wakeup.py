"""Workers sleep until there is a reason to look."""

import threading
import time
from collections.abc import Callable

from gitops_wf.adapters.dbos_executor.wakeup import Alarm, Doorbell

LONG = 30.0


def in_thread(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


def test_a_ring_wakes_who_waits_and_does_not_end_it():
    bell, answers = Doorbell(), []
    thread = in_thread(lambda: answers.append(bell.wait(LONG)))

    bell.ring()
    thread.join(LONG / 2)

    assert answers == [False]


def test_a_ring_before_the_wait_is_not_lost_and_counts_once():
    bell = Doorbell()
    bell.ring()
    bell.ring()

    begin = time.monotonic()
    assert not bell.wait(LONG)
    assert not bell.wait(0.05)

    assert LONG / 2 > time.monotonic() - begin >= 0.05


def test_setting_it_ends_every_wait():
    bell, answers = Doorbell(), []
    thread = in_thread(lambda: answers.append(bell.wait(LONG)))

    bell.set()
    thread.join(LONG / 2)

    assert answers == [True]
    assert bell.wait(LONG)
    assert bell.is_set()


def test_ringing_for_a_while_wakes_again_and_again():
    bell = Doorbell()
    bell.ring_for(LONG)

    begin = time.monotonic()
    for _ in range(5):
        assert not bell.wait(LONG)

    assert time.monotonic() - begin < LONG


def test_an_alarm_calls_back_in_the_order_of_its_times_and_not_early():
    calls: list[float] = []
    done = threading.Event()

    def called() -> None:
        calls.append(time.monotonic())
        if len(calls) == 2:
            done.set()

    alarm = Alarm(called)
    alarm.start()
    begin = time.monotonic()
    alarm.at(begin + 0.2)
    alarm.at(begin + 0.05)

    assert done.wait(LONG)
    assert calls[0] - begin >= 0.05
    assert calls[1] - begin >= 0.2
    alarm.stop()


def test_times_that_have_passed_together_are_one_call():
    calls: list[float] = []
    called = threading.Event()

    def call() -> None:
        calls.append(time.monotonic())
        called.set()

    alarm = Alarm(call)
    for _ in range(100):
        alarm.at(time.monotonic() - 1)
    alarm.start()

    assert called.wait(LONG)
    alarm.stop()
    assert len(calls) == 1


def test_a_stopped_alarm_calls_back_no_more():
    calls: list[float] = []
    alarm = Alarm(lambda: calls.append(time.monotonic()))
    alarm.start()
    alarm.at(time.monotonic() + 0.1)

    alarm.stop()

    assert calls == []
