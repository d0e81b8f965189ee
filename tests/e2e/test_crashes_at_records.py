"""Killed at any COMMIT, a release loses nothing and repeats no recorded step.

The short form kills at one COMMIT of each place in the code that commits, ours or
DBOS's, and at each fetch, ref and file that is made, before it and after it.
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


def test_a_kill_at_a_record_loses_nothing_and_repeats_no_recorded_step(crashes):
    tried = crashes.try_all(crashes.at_records())

    sys.stdout.write(report(tried))
    assert not complaint(tried)
