"""Each rule has files that break it, with what the user then reads."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gitops_wf.core.errors import DefinitionError
from gitops_wf.definitions.daemon import read_daemon_config
from gitops_wf.definitions.decisions import read_decisions
from gitops_wf.definitions.problems import BrokenRule
from gitops_wf.definitions.rules import RULES
from tests.definitions import read

DATA = Path(__file__).parents[2] / "data" / "definitions"
INVALID = sorted((DATA / "invalid").glob("*.yaml"))


def problems_of(case: Path) -> Sequence[DefinitionError]:
    """Read the case as the file that its first line names."""
    data = case.read_bytes()
    head = [line[2:] for line in data.decode().splitlines() if line.startswith("# ")]
    name = head[0]
    if name == "approvals.yaml":
        outcome = read_decisions({name: data})
    elif name == "gitops-wf.yaml":
        outcome = read_daemon_config(data, "/etc/gitops-wf/gitops-wf.yaml")
    else:
        left_out = [line.removeprefix("without ") for line in head[1:]]
        files = {name: data} | dict.fromkeys(left_out)
        outcome = read(files).problems
    assert isinstance(outcome, tuple)
    return [one for one in outcome if isinstance(one, DefinitionError)]


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.stem)
def test_a_broken_file_is_told_by_line_and_mend(case):
    text = "".join(f"{problem}\n" for problem in problems_of(case))

    assert text == case.with_suffix(".txt").read_text()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_has_a_file_that_breaks_it(rule):
    cases = [case for case in INVALID if case.stem.split("--")[0] == rule.id]

    assert cases
    for case in cases:
        broken = {p.rule for p in problems_of(case) if isinstance(p, BrokenRule)}
        assert rule.id in broken


def test_each_broken_file_is_a_case_of_a_rule():
    rules = {rule.id for rule in RULES}

    assert [c.stem for c in INVALID if c.stem.split("--")[0] not in rules] == []


def test_ids_of_rules_are_unique():
    assert len({rule.id for rule in RULES}) == len(RULES)
