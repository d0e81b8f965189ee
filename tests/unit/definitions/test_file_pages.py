"""The reference pages of our files say what the schemas say."""

import pytest

from tests.file_pages import FILES, PAGES, page
from tests.health_page import PAGE as HEALTH
from tests.health_page import page as health_page


@pytest.mark.parametrize("item", FILES, ids=lambda item: item.kind)
def test_the_page_is_current(item):
    written = (PAGES / f"{item.kind}.md").read_text()

    assert written == page(item), "write it anew: python -m tests.file_pages"


def test_the_list_of_health_rules_is_current():
    written = HEALTH.read_text()

    assert written == health_page(written), "write it anew: python -m tests.health_page"
