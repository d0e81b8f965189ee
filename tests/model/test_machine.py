"""Random sequences come to what the model says.

GITOPS_WF_MODEL_EXAMPLES=5000 runs the long form: so many examples, other ones each
time, of 50 steps each (about a second per example).
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Releases

EXAMPLES = int(os.environ.get("GITOPS_WF_MODEL_EXAMPLES", "0"))
SHORT = settings(
    max_examples=25,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
LONG = settings(
    SHORT, max_examples=EXAMPLES or 1, stateful_step_count=50, derandomize=False
)


@pytest.mark.timeout(0 if EXAMPLES else 180)
def test_random_sequences_come_to_what_the_model_says():
    run_state_machine_as_test(Releases, settings=LONG if EXAMPLES else SHORT)
