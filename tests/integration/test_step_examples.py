"""What the pages of step types show as examples does what it should, as it stands."""

import pytest

from tests.step_examples import check, examples
from tests.step_pages import PAGES

RUN = [
    example
    for path in sorted(PAGES.glob("*.md"))
    for example in examples(path)
    if not example.why_not_run
]


@pytest.mark.parametrize("example", RUN, ids=str)
def test_an_example_of_a_page_runs(example, tmp_path):
    check(example, tmp_path)
