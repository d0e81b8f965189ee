"""Reads what pages claim: rows of tables, and the tests that prove them.

A claim links to a test by its sentence: `[an event is told once](../tests/…/test_x.py)`.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
_LINK = re.compile(r"\[([^\]]+)\]\(([^)#]*/test_\w+\.py)\)")


def rows(page: Path) -> Iterator[list[str]]:
    """The cells of each row of a page's tables, but for heads."""
    lines = page.read_text().splitlines()
    for number, line in enumerate(lines):
        is_head = lines[number + 1 : number + 2] and lines[number + 1].startswith("|--")
        if line.startswith("| ") and not is_head:
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def named_tests(text: str, page: Path) -> list[tuple[Path, str]]:
    """The test functions that a text of a page links to: file and name."""
    return [
        ((page.parent / path).resolve(), f"test_{sentence.replace(' ', '_')}")
        for sentence, path in _LINK.findall(text)
    ]


@cache
def functions_in(file: Path) -> frozenset[str]:
    """The names of the test functions of a file."""
    tree = ast.parse(file.read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )
