"""Approvals files become entries."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_wf.core.decision import Entry, Verb
from gitops_wf.core.errors import DefinitionError
from gitops_wf.definitions.decisions import read_decisions
from gitops_wf.definitions.reader import DefinitionReader
from tests.definitions import CATALOGUE

FOLDER = Path(__file__).parents[2] / "data/definitions/valid/envs/prod"
FILES = {
    name: (FOLDER / name).read_bytes()
    for name in ("approvals.yaml", "approvals/ann.yaml")
}


def entries(text: str):
    return read_decisions({"approvals.yaml": text.encode()})


def test_both_forms_of_files_are_read():
    first, second, third, fourth = read_decisions(FILES)

    assert first == Entry(
        revision="4f1c2d9e" * 5,
        decision=Verb.APPROVE,
        step="go-live",
        by="ann@example.com",
        comment="EU looks right",
        path="approvals.yaml",
        line=2,
    )
    assert (second.decision, second.run, second.line) == (Verb.REJECT, 2, 3)
    assert second.expires == datetime(2026, 1, 31, 17, tzinfo=UTC)
    assert third.digest.startswith("sha256:e3b0c442")
    assert (fourth.path, fourth.revision) == ("approvals/ann.yaml", "12e45678")


@pytest.mark.parametrize(
    "sha", ["0123456", "1234567890", "12e45678", "0x1234567", "'0123456'"]
)
def test_a_sha_is_never_a_number(sha):
    outcome = entries(f"approvals: [{{revision: {sha}, decision: approve}}]")

    if sha.startswith("0x"):
        assert "is no commit" in str(outcome[0])
    else:
        assert outcome[0].revision == sha.strip("'")


@pytest.mark.parametrize("text", ["", "# nothing\n", "approvals:\n", "approvals: []\n"])
def test_a_file_may_hold_no_entries(text):
    assert entries(text) == ()


def test_a_date_is_good_until_it_has_ended():
    (entry,) = entries("{revision: 4f1c2d9e, decision: approve, expires: 2026-01-31}")

    assert entry.expires == datetime(2026, 2, 1, tzinfo=UTC)


def test_an_upper_case_sha_is_the_same_commit():
    (entry,) = entries("{revision: 4F1C2D9E, decision: approve}")

    assert entry.revision == "4f1c2d9e"


def test_one_wrong_entry_makes_the_file_unreadable():
    good = "  - {revision: 4f1c2d9e, decision: approve}\n"
    outcome = entries(f"approvals:\n{good}  - {{revision: 4f1c2d9e, decision: yes}}\n")

    (problem,) = outcome
    assert str(problem) == (
        "approvals.yaml:3: `decision` must be approve, reject, retry, redeploy or abort,"
        " not `yes`"
    )


def test_the_port_raises_the_first_problem():
    reader = DefinitionReader(CATALOGUE)

    assert len(reader.entries("a.yaml", FILES["approvals.yaml"])) == 3
    with pytest.raises(DefinitionError, match="is no commit"):
        reader.entries("a.yaml", b"revision: x\ndecision: approve\n")
