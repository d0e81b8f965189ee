"""One push of very many commits: all are taken in, and nobody else waits.

`GITOPS_WF_BIG_PUSH=5000` runs the full form, under `every`, too; the benchmark of the same name prints
what it took.
"""

import os

import pytest

from tests.benchmarks.big_push import big_push

COMMITS = int(os.environ.get("GITOPS_WF_BIG_PUSH", "300"))
MOST_MIB = 400
"""What one process may take at most, whatever is pushed: about 130 MiB are idle."""


@pytest.mark.timeout(3600 if COMMITS > 300 else 180)
@pytest.mark.parametrize("policy", ["latest", "every"] if COMMITS > 300 else ["latest"])
def test_a_push_of_very_many_commits_is_taken_in_whole(tmp_path, policy):
    figures = big_push(
        tmp_path, COMMITS, policy, patience=60 if COMMITS <= 300 else 3600
    )

    outcomes = figures.outcomes
    assert sum(outcomes.values()) == COMMITS + 1
    # The last always runs; of the others more than `maxPending` never wait.
    assert set(outcomes) == {"Succeeded", "Aborted/Superseded"}
    assert outcomes["Aborted/Superseded"] > COMMITS / 2
    assert figures.answers
    assert not figures.bad_answers
    assert figures.peak_mib < MOST_MIB
    # The other repository did not wait for the end of the push.
    if COMMITS > 300:
        assert figures.behind > 0
