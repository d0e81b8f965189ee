"""What the daemon offers to step types, and what they make of it together."""

from dataclasses import replace

from gitops_wf.delivery import delivery_for
from tests.steps import capabilities


def test_step_types_that_deliver_share_one_delivery_of_their_capabilities():
    offered = capabilities()

    shared = offered.shared(delivery_for)

    assert offered.shared(delivery_for) is shared
    # A plan's clusters write nothing: it must never get the daemon's.
    assert replace(offered, instance="plan").shared(delivery_for) is not shared
