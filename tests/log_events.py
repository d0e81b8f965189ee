"""The events that the code logs, found in its syntax: nothing is run."""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEVELS = {"debug", "info", "warning", "error", "exception"}


@dataclass(frozen=True, order=True)
class Logged:
    """One call that logs: its event, its level and the names of its own fields."""

    event: str
    level: str
    fields: tuple[str, ...]
    place: str


def logged() -> list[Logged]:
    found = []
    for path in sorted((ROOT / "gitops_wf").rglob("*.py")):
        if "sandbox" in path.relative_to(ROOT / "gitops_wf").parts:
            continue  # it stands alone, and is no part of a daemon's log
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in {"log", "about", "work"}
            ):
                name = node.args[0]
                assert isinstance(name, ast.Constant), f"{path}:{node.lineno}: write it"
                level = "error" if node.func.attr == "exception" else node.func.attr
                fields = tuple(word.arg or "**" for word in node.keywords)
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                found.append(Logged(name.value, level, fields, place))
    return found
