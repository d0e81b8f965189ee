"""What can be subscribed to is what happens, and each of it is explained."""

import ast
import re
from pathlib import Path
from typing import get_args

from gitops_wf.core.upkeep.state import Edge
from gitops_wf.definitions.channels_file import NotifyAllPart
from gitops_wf.definitions.environment_file import EventKind

ROOT = Path(__file__).parents[3]
FOR_NOBODY = {"adopted", "notDelivered"}
"""A start without news, and what cannot be told by a message."""


def subscribable() -> set[str]:
    schema = NotifyAllPart.model_json_schema()["properties"]["on"]["items"]
    return set(schema["enum"])


def told() -> set[str]:
    """Each text that the code gives an event as its kind."""
    found = {edge.value for edge in Edge}
    for path in (ROOT / "gitops_wf" / "services").glob("*.py"):
        text = path.read_text()
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "kind":
                found |= {
                    each.value
                    for each in ast.walk(node.value)
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                }
        found |= set(re.findall(r'\bkind = "(\w+)"', text))
        found |= set(re.findall(r'Phase\.\w+: "(\w+)"', text))
    return found


def test_every_kind_that_is_told_can_be_subscribed_to():
    assert told() - subscribable() - FOR_NOBODY == set()


def test_every_kind_that_can_be_subscribed_to_is_explained():
    page = (ROOT / "docs/reference/channels.md").read_text()
    table = page.partition("| event | when |")[2].partition("\n\n")[0]
    explained = {
        kind
        for line in table.splitlines()[2:]
        for kind in re.findall(r"`(\w+)`", line.split("|")[1])
    }

    assert explained == subscribable()


def test_an_environment_has_no_events_of_repositories_and_targets():
    assert subscribable() - set(get_args(EventKind)) == {
        "clonedAnew",
        "historyRewritten",
        "repositoryFailed",
        "repositoryRecovered",
        "targetRecovered",
        "targetUnreachable",
    }
