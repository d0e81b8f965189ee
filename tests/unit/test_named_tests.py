"""A page that names a test as proof names one that is there."""

from tests.doc_tables import DOCS, functions_in, named_tests

PAGES = sorted(DOCS.rglob("*.md"))


def test_each_test_that_a_page_names_is_there():
    named = [
        (page.name, file, name)
        for page in PAGES
        for file, name in named_tests(page.read_text(), page)
    ]
    missing = [
        f"{page}: {file.name}::{name}"
        for page, file, name in named
        if not file.exists() or name not in functions_in(file)
    ]

    assert len(named) > 50
    assert missing == []
