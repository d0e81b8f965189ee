"""What stands in the queue says all that is needed to carry it out."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gitops_wf.adapters.dbos_executor.places import Abandoned, Places
from gitops_wf.adapters.dbos_executor.work import (
    OUTSIDE,
    TARGETS,
    Queued,
    from_arguments,
    to_arguments,
)
from gitops_wf.ports.executor import AttemptWork, DeliveryWork

ATTEMPT = AttemptWork(
    environment="shop/prod",
    run="shop/prod#1.1",
    step="go",
    attempt=2,
    look=3,
    target="eu",
)
DELIVERY = DeliveryWork(delivery=7, attempt=2)


@pytest.mark.parametrize("work", [ATTEMPT, replace(ATTEMPT, target=None), DELIVERY])
def test_work_comes_back_from_the_queue_without_its_delay(work):
    queued = Queued(work=replace(work, delay=timedelta(1)), returns=2, failures=1)

    kept = json.loads(json.dumps(to_arguments(queued)))

    assert from_arguments(kept) == replace(queued, work=work)


@pytest.mark.parametrize(
    ("work", "name"),
    [
        (ATTEMPT, "shop/prod#1.1/go/2.3"),
        (replace(ATTEMPT, look=4), "shop/prod#1.1/go/2.4"),
        (DELIVERY, "delivery/7/2"),
    ],
)
def test_each_attempt_look_and_try_has_an_id_of_its_own(work, name: str):
    assert Queued(work=work).id == name


def test_what_is_put_back_is_other_work_for_the_queue():
    queued = Queued(work=ATTEMPT)
    after_error = queued.put_back(after_error=True)
    after_stop = after_error.put_back(after_error=False)

    assert [after_error.id, after_stop.id] == [f"{queued.id}~1", f"{queued.id}~2"]
    assert after_stop.failures == after_error.failures == 1


def test_only_what_has_a_target_goes_to_the_queue_of_targets():
    assert Queued(work=ATTEMPT).queue == TARGETS
    assert Queued(work=replace(ATTEMPT, target=None)).queue == OUTSIDE
    assert Queued(work=DELIVERY).queue == OUTSIDE


def test_a_place_is_wanted_once_the_target_or_the_queue_was_full():
    eu, us = Queued(work=ATTEMPT), Queued(work=replace(ATTEMPT, target="us"))
    outside = Queued(work=DELIVERY)
    places = Places(at_once=3, per_target=2)

    with places.taken(eu), places.taken(us):
        assert not places.is_wanted(eu)
        with places.taken(eu):
            assert places.is_wanted(eu)
            assert places.is_wanted(us)  # three of the queue's three are taken
            assert not places.is_wanted(outside)  # which is another queue


def test_a_place_stays_wanted_until_the_last_of_a_full_target_ends():
    eu = Queued(work=ATTEMPT)
    places = Places(at_once=9, per_target=2)

    with places.taken(eu):
        with places.taken(eu):
            assert places.is_wanted(eu)
        assert places.is_wanted(eu)
    with places.taken(eu):
        assert not places.is_wanted(eu)


def test_abandoned_work_is_told_and_so_is_what_comes_later():
    places = Places(at_once=1, per_target=1)

    with places.taken(Queued(work=ATTEMPT)) as first:
        assert not places.wait_until_empty(0)
        places.abandon()
        assert isinstance(first.get(timeout=1), Abandoned)
    with places.taken(Queued(work=DELIVERY)) as second:
        assert isinstance(second.get(timeout=1), Abandoned)

    assert places.wait_until_empty(0)
