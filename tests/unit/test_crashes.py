"""When the kills of a release count as failed."""

from tests.crashes import Tried, complaint
from tests.crashpoints import Point


def tried(**fields):
    return Tried(point=Point(site="git fetch", nth=4, when="before"), **fields)


def test_a_point_that_changed_something_is_told_with_its_reason():
    found = complaint([tried(), tried(problems=("message a arrived 0 times",))])

    assert "before git fetch (4)" in found
    assert "message a arrived 0 times" in found


def test_few_points_may_be_the_undisturbed_release_s_own():
    assert not complaint([tried()] * 9 + [tried(is_reached=False)])


def test_a_kill_that_is_rarely_reached_is_no_proof():
    found = complaint([tried()] * 8 + [tried(is_reached=False)] * 2)

    assert found.startswith("2 of 10 points were not reached")
