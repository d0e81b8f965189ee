"""docs/operations/logs.md has every event that the code logs, and no other."""

import re

import pytest

from tests.log_events import ROOT, logged

PAGE = (ROOT / "docs" / "operations" / "logs.md").read_text()
ROW = re.compile(r"^\| `([a-z]+\.[a-z]+)` \| (\w+) \| (.*?) \| .* \|$", re.MULTILINE)
FIELD = re.compile(r"^\| `(\w+)` \| [^|]* \|$", re.MULTILINE)


def documented() -> set[tuple[str, str]]:
    return {(event, level) for event, level, _ in ROW.findall(PAGE)}


def test_every_event_is_documented_with_its_level_and_no_other_is():
    from_processor = {("library.logged", "warning")}  # whatever level the library gave

    assert (
        documented() == {(each.event, each.level) for each in logged()} | from_processor
    )


def test_the_code_logs_at_all_that_this_test_can_see():
    assert len(logged()) > 20


@pytest.mark.parametrize("each", logged(), ids=lambda each: each.place)
def test_a_name_is_a_noun_and_a_verb_and_its_fields_are_known(each):
    assert re.fullmatch(r"[a-z]+\.[a-z]+", each.event)
    rows = {event: fields for event, _, fields in ROW.findall(PAGE)}
    own = set(re.findall(r"`(\w+)`", rows[each.event])) | set(FIELD.findall(PAGE))
    assert set(each.fields) - {"exc_info", "**"} <= own


def test_one_thing_has_one_name():
    others = {"repo", "env", "error", "err", "sha", "revision_number", "msg", "name"}

    assert not {field for each in logged() for field in each.fields} & others
