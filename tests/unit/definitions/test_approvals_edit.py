import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_wf.core.errors import DefinitionError
from gitops_wf.definitions.approvals_edit import one_entry_file, with_entry
from gitops_wf.definitions.reader import DefinitionReader

PATH = "envs/prod/approvals.yaml"
NEW = {"revision": "c" * 40, "step": "go-live", "decision": "approve"}
FLOW = "{revision: '" + "c" * 40 + "', step: go-live, decision: approve}"
OLD = "{revision: '" + "a" * 40 + "', step: go-live, decision: approve}"


def keys(text):
    entries = DefinitionReader(None).entries(PATH, text.encode())
    return [entry.key for entry in entries]


CASES = {
    "no file": (None, f"approvals:\n  - {FLOW}\n"),
    "an empty file": ("", f"approvals:\n  - {FLOW}\n"),
    "only comments": ("# Ours\n", f"# Ours\napprovals:\n  - {FLOW}\n"),
    "only the key": (
        "# Ours\napprovals:  # none yet\n# end\n",
        f"# Ours\napprovals:  # none yet\n  - {FLOW}\n# end\n",
    ),
    "null": ("approvals: null\n", f"approvals:\n  - {FLOW}\n"),
    "an empty list": (
        "approvals: []  # none yet\n",
        f"approvals:  # none yet\n  - {FLOW}\n",
    ),
    "a list, and comments everywhere": (
        f"# Ours\napprovals:\n  # first\n  - {OLD}  # Ann\n\n# end\n",
        f"# Ours\napprovals:\n  # first\n  - {OLD}  # Ann\n  - {FLOW}\n\n# end\n",
    ),
    "a list without indent": (
        f"approvals:\n- {OLD}\n",
        f"approvals:\n- {OLD}\n- {FLOW}\n",
    ),
    "no newline at the end": (
        f"approvals:\n  - {OLD}",
        f"approvals:\n  - {OLD}\n  - {FLOW}\n",
    ),
    "lines that end as on Windows": (
        f"approvals:\r\n  - {OLD}\r\n",
        f"approvals:\r\n  - {OLD}\r\n  - {FLOW}\r\n",
    ),
    "entries as blocks": (
        "approvals:\n  -   revision: 'aaaaaaa'\n      decision: reject\n",
        (
            "approvals:\n  -   revision: 'aaaaaaa'\n      decision: reject\n"
            f"  -   revision: '{'c' * 40}'\n      step: go-live\n      decision: approve\n"
        ),
    ),
    "a block that ends with a text of lines": (
        (
            "approvals:\n  - revision: 'aaaaaaa'\n    decision: reject\n"
            "    comment: |\n      no\n      way\n# end\n"
        ),
        (
            "approvals:\n  - revision: 'aaaaaaa'\n    decision: reject\n"
            "    comment: |\n      no\n      way\n"
            f"  - revision: '{'c' * 40}'\n    step: go-live\n    decision: approve\n# end\n"
        ),
    ),
    "a list in brackets": (
        f"approvals: [{OLD}]\n",
        f"approvals: [{OLD}, {FLOW}]\n",
    ),
    "brackets over lines": (
        f"approvals: [\n  {OLD},\n]\n",
        f"approvals: [\n  {OLD},\n  {FLOW},\n]\n",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_entry_is_added_and_the_rest_left_as_it_stands(case):
    before, after = CASES[case]

    assert with_entry(PATH, before, NEW) == after


@pytest.mark.parametrize("case", CASES)
def test_what_stood_there_is_read_as_before_with_one_entry_more(case):
    before, after = CASES[case]

    assert keys(after)[:-1] == (keys(before) if before else [])
    assert keys(after)[-1].revision == "c" * 40


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("approvals: [", "approvals.yaml:1: .*mend the file first"),
        ("approvals: yes\n", "has no list `approvals`"),
        ("- a\n", "has no list `approvals`"),
        ("other: []\n", "has no list `approvals`"),
    ],
)
def test_a_file_that_cannot_be_added_to_is_refused(text, message):
    with pytest.raises(DefinitionError, match=message):
        with_entry(PATH, text, NEW)


def test_a_number_stays_a_number_and_odd_text_is_quoted():
    entry = {**NEW, "run": "2", "comment": "it's: {odd} # yes"}

    added = DefinitionReader(None).entries(
        PATH, with_entry(PATH, None, entry).encode()
    )[0]

    assert added.run == 2
    assert added.comment == "it's: {odd} # yes"


def test_a_file_of_its_own_holds_the_one_entry():
    text = one_entry_file(NEW)

    assert text == f"revision: '{'c' * 40}'\nstep: go-live\ndecision: approve\n"
    assert keys(text)[0].step == "go-live"


@given(comment=st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_any_comment_of_one_line_comes_back(comment):
    text = with_entry(PATH, f"approvals:\n  - {OLD}\n", {**NEW, "comment": comment})

    entries = DefinitionReader(None).entries(PATH, text.encode())
    assert [entry.comment for entry in entries] == ["", comment]
