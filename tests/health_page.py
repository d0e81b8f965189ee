"""Writes the list of kinds in docs/reference/health.md from the shipped rules.

``python -m tests.health_page`` writes it anew; a test says when that is needed.
"""

from itertools import groupby
from pathlib import Path

import yaml

import gitops_wf.definitions
from gitops_wf.bootstrap.health import shipped_rules

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "health.md"
MARK = "<!-- The rest is written by `python -m tests.health_page` from the rules -->\n"
_RULES = Path(gitops_wf.definitions.__file__).parent / "health_rules"


def page(written: str) -> str:
    """The page as it should be: what is written by hand, and the list."""
    head = written.partition(MARK)[0]
    return head + MARK + _list()


def _list() -> str:
    rules = shipped_rules()
    text = f"\n## Kinds with a shipped rule\n\n{len(rules)} rules. `*` is every other kind of the group; † can be Suspended.\n"
    for file, of_file in groupby(rules, key=lambda rule: rule.origin.partition(":")[0]):
        project = yaml.safe_load((_RULES / file).read_text())["project"]
        text += f"\n### {project}\n\n| group | kinds |\n|---|---|\n"
        by_group: dict[str, list[str]] = {}
        for rule in of_file:
            kind = rule.kind or "*"
            kind += " †" if rule.suspended else ""
            by_group.setdefault(rule.group, []).append(kind)
        for group, kinds in by_group.items():
            text += f"| `{group}` | {', '.join(kinds)} |\n"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
