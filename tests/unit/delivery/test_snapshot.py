"""Shared LISTs: one for all who ask in time, none from before a write."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from gitops_wf.core.identifiers import TargetName
from gitops_wf.delivery.snapshot import Snapshots
from gitops_wf.ports.cluster import ApiResource

HERE = TargetName("here")
PODS = ApiResource(
    group="", version="v1", kind="Pod", plural="pods", is_namespaced=True
)


class Counting:
    """A cluster that counts its LISTs; each waits until it may answer."""

    def __init__(self):
        self.lists = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def list(self, resource, namespace="", label_selector=""):
        self.lists += 1
        self.may_answer.wait(10)
        return [{"metadata": {"name": f"{namespace}-{self.lists}"}}]


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        self.now += 0.001
        return self.now


def ask(snapshots, cluster, *, namespace="a", age=2.0):
    return snapshots.list(
        HERE, cluster, PODS, namespace, max_age=timedelta(seconds=age)
    )


def test_who_asks_within_the_age_shares_a_list():
    clock, cluster = Clock(), Counting()
    snapshots = Snapshots(clock)

    first = ask(snapshots, cluster)
    clock.now += 1.9
    again = ask(snapshots, cluster)
    clock.now += 0.2
    later = ask(snapshots, cluster)

    assert first is again
    assert later is not first
    assert cluster.lists == 2


def test_namespaces_are_listed_apart():
    snapshots, cluster = Snapshots(Clock()), Counting()

    assert ask(snapshots, cluster, namespace="a") != ask(
        snapshots, cluster, namespace="b"
    )


def test_many_who_ask_at_once_send_one_list():
    snapshots, cluster = Snapshots(), Counting()
    cluster.may_answer.clear()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, snapshots, cluster, age=60) for _ in range(8)]
        cluster.may_answer.set()
        found = [each.result() for each in asked]

    assert cluster.lists == 1
    assert all(each is found[0] for each in found)


def test_a_list_from_before_a_write_is_worth_nothing():
    snapshots, cluster = Snapshots(Clock()), Counting()
    ask(snapshots, cluster)

    snapshots.written(HERE, "", "ConfigMap", "a")
    ask(snapshots, cluster)
    assert cluster.lists == 1

    snapshots.written(HERE, "", "Pod", "a")
    ask(snapshots, cluster)
    assert cluster.lists == 2


def test_a_write_while_a_list_is_on_its_way_makes_it_worthless():
    snapshots, cluster = Snapshots(Clock()), Counting()
    cluster.may_answer.clear()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, snapshots, cluster)
        while not cluster.lists:
            threading.Event().wait(0.01)
        snapshots.written(HERE, "", "Pod", "a")
        cluster.may_answer.set()
        asked.result()

    ask(snapshots, cluster)

    assert cluster.lists == 2


def test_a_list_of_one_identity_is_not_given_to_another():
    snapshots, one, other = Snapshots(), Counting(), Counting()

    ask(snapshots, one)
    ask(snapshots, other)
    ask(snapshots, one)

    assert (one.lists, other.lists) == (1, 1)


def test_a_write_of_one_identity_makes_the_lists_of_all_old():
    snapshots, one, other = Snapshots(Clock()), Counting(), Counting()
    ask(snapshots, one)
    ask(snapshots, other)

    snapshots.written(HERE, PODS.group, PODS.kind, "a")
    ask(snapshots, one)
    ask(snapshots, other)

    assert (one.lists, other.lists) == (2, 2)
