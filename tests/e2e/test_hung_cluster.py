"""One cluster hangs: what is released to the others is looked after as ever."""

import pytest

from tests.daemons import eventually
from tests.e2e.test_cluster_faults import World, config_map, environment

MANY = [f"e{number}" for number in range(8)]
"""Twice as many as are looked at at once."""


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    try:
        with world.proxy:
            yield world
    finally:
        world.daemon.close()


def test_drift_on_other_clusters_is_healed_while_one_hangs(world):
    _heal_beside_a_hung_cluster(world)


@pytest.mark.long
def test_a_cluster_that_hangs_and_comes_back_is_told_once_each(world):
    _heal_beside_a_hung_cluster(world)

    eventually(lambda: world.daemon.logged("target.unreachable"), what="the warning")
    world.describes("e3", "sick: has not answered for", "sick: last compared")
    assert "unreachable" not in world.describes("good", "good: last compared")

    world.proxy.release()
    eventually(lambda: world.daemon.logged("target.recovered"), what="its return")
    (lost,) = world.daemon.logged("target.unreachable")
    assert lost["target"] == "sick"
    assert f"{len(MANY)} environments are delivered there" in lost["message"]
    assert len(world.daemon.logged("target.recovered")) == 1
    assert "Traceback" not in world.daemon.log


def _heal_beside_a_hung_cluster(world):
    world.configure("sick", drift={"interval": "1s", "selfHeal": True})
    names = {name: (environment("sick"), config_map(name)) for name in MANY}
    world.push(good=(environment("good"), config_map("good")), **names)
    world.daemon.start()
    for name in ("good", *MANY):
        world.daemon.reaches(name, ["Succeeded"])
    # All have rested since their release, and are looked at every second.
    world.describes("e0", "sick: last compared")

    world.proxy.faults["sick"] = "hang"
    eventually(lambda: world.proxy.waiting, what="a look to hang")
    world.edit("good", "good", "somebody's")

    eventually(lambda: world.daemon.value("good", "good") == "1", what="the heal")
    assert world.proxy.given_up == 0  # it waited for none of those that hang
    assert 1 <= world.proxy.waiting <= 5
