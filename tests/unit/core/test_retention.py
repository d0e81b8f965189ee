"""What of an environment's past may be forgotten."""

from gitops_wf.core.phases import Phase
from gitops_wf.core.retention import expendable
from gitops_wf.core.revision import Revision
from tests.shop import revision


def ended(number: int, inputs: str = "", **fields) -> Revision:
    more = {"inputs": inputs or f"digest {number}", "position": number * 10, **fields}
    return revision("prod", number, f"{number:x}", Phase.SUCCEEDED, **more)


def gone(*beyond: Revision, following: int | None = 1000, **more) -> tuple[int, ...]:
    barred = [each for each in beyond if each.barred]
    arguments = {"barred": barred, "waited_for": (), **more}
    return expendable(beyond, following=following, **arguments)


def test_what_is_not_needed_may_go():
    assert gone(ended(1), ended(2)) == (1, 2)


def test_the_released_one_stays_unless_nothing_runs_any_more():
    beyond = (ended(1), ended(2, released=True), ended(3))

    assert gone(*beyond) == (1, 3)
    assert gone(*beyond, keeps_released=False) == (1, 2, 3)


def test_one_revision_stays_for_each_inputs_that_are_barred():
    beyond = (
        ended(1, "bad", barred=True),
        ended(2, "worse", barred=True),
        ended(3, "bad", barred=True),
        ended(4, "bad"),
    )

    assert gone(*beyond) == (1, 4)


def test_a_bar_that_a_kept_revision_tells_of_needs_no_older_one():
    old, newer = ended(1, "bad", barred=True), ended(9, "bad", barred=True)

    assert gone(old, barred=[old, newer]) == (1,)


def test_what_another_environments_revision_waits_for_stays():
    beyond = (ended(1), ended(2), ended(3))  # at 10, 20 and 30

    assert gone(*beyond, waited_for={25}) == (1, 3)
    assert gone(*beyond, waited_for={20}) == (1, 3)
    assert gone(*beyond, waited_for={5}) == (1, 2, 3)
    assert gone(*beyond, waited_for={35}) == (1, 2)
    assert gone(*beyond, waited_for={35}, following=34) == (1, 2, 3)
    assert gone(*beyond, waited_for={35}, following=None) == (1, 2)
