"""A few threads carry out what is put to them; the end waits for none that hangs."""

import threading
from queue import SimpleQueue

from gitops_wf.daemon.lane import Lane
from gitops_wf.daemon.workers import Workers


def test_items_are_carried_out_several_at_once():
    items, done = SimpleQueue(), SimpleQueue()
    both = threading.Barrier(2, timeout=30)

    def carry_out(item):
        both.wait()
        done.put(item)

    workers = Workers(items, carry_out, lane=Lane(), count=2, name="test")
    workers.start()
    for item in ("a", "b"):
        items.put(item)

    assert {done.get(timeout=30), done.get(timeout=30)} == {"a", "b"}
    workers.stop()


def test_the_end_begins_nothing_more_and_waits_for_nothing_that_hangs():
    items, begun, done = SimpleQueue(), SimpleQueue(), []
    release = threading.Event()

    def hang(item):
        begun.put(item)
        release.wait(60)
        done.append(item)

    workers = Workers(items, hang, lane=Lane(), count=1, name="test", grace=0.0)
    workers.start()
    items.put("a")
    items.put("b")
    begun.get(timeout=30)

    workers.stop()

    assert done == []
    release.set()
    assert begun.empty()
