"""Killed at any effect, a release repeats at most the message in flight.

An effect is a write to a cluster or a message. Before it the store holds only that it
was begun; after it the other side has answered, and the store does not know.
``GITOPS_WF_CRASHES=full pytest -rP tests/e2e/test_crashes_at_records.py
tests/e2e/test_crashes_at_effects.py`` tries every point, on SQLite and on PostgreSQL,
and prints a table; docs/operations/crashes.md says what it found.
"""

import sys

import pytest

from tests.crashes import complaint, crashes_on, databases, is_full, report

pytestmark = pytest.mark.timeout(0 if is_full() else 300)


@pytest.fixture(scope="module", params=databases())
def crashes(request, tmp_path_factory):
    with crashes_on(request.param, tmp_path_factory.mktemp("crashes")) as started:
        yield started


def test_a_kill_at_an_effect_loses_nothing_and_repeats_at_most_a_message(crashes):
    tried = crashes.try_all(crashes.at_effects())

    sys.stdout.write(report(tried))
    assert not complaint(tried)
