"""What makes a revision a rollback: its content alone."""

import pytest

from gitops_wf.core.phases import Phase
from gitops_wf.core.revision import rollback_of
from tests.shop import revision


def earlier(number: int, phase: Phase, **more):
    return revision("prod", number, f"{number}", phase, **more)


def test_inputs_that_never_were_before_are_no_rollback():
    assert rollback_of([]) is None


def test_inputs_that_succeeded_before_are_a_rollback_to_the_newest_that_had_them():
    same = [
        earlier(2, Phase.SUCCEEDED),
        earlier(5, Phase.SUCCEEDED),
        earlier(7, Phase.FAILED),
    ]

    assert rollback_of(same) == 5


@pytest.mark.parametrize("phase", [p for p in Phase if p is not Phase.SUCCEEDED])
def test_inputs_that_never_succeeded_are_no_rollback(phase):
    assert rollback_of([earlier(2, phase)]) is None


def test_inputs_that_were_rejected_once_are_barred_under_every_number():
    same = [earlier(2, Phase.SUCCEEDED), earlier(4, Phase.ABORTED, barred=True)]

    assert rollback_of(same) is None


def test_a_commit_message_cannot_claim_a_rollback():
    claims = revision("prod", 3, "3", Phase.PENDING, reverts=("2" * 40,))

    assert not claims.is_rollback


def test_a_revision_says_whether_it_is_a_rollback():
    assert revision("prod", 3, "3", Phase.PENDING, rollback_of=1).is_rollback
