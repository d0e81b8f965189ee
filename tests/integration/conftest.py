"""A release line per test, closed after it."""

from collections.abc import Iterator

import pytest

from gitops_wf.core.policy import Policy, PolicyRule, Rulebook
from tests.releases import ReleaseLine


@pytest.fixture
def line(tmp_path) -> Iterator[ReleaseLine]:
    line = ReleaseLine(tmp_path)
    yield line
    line.close()


@pytest.fixture
def two_needed(tmp_path) -> Iterator[ReleaseLine]:
    """A release line in which two people must approve."""
    rule = PolicyRule(environments=("*",), policy=Policy(min_approvals=2))
    line = ReleaseLine(tmp_path, rulebook=Rulebook(rules=(rule,)))
    yield line
    line.close()
