"""The part of JSONPath that printer columns of custom resources use."""

from __future__ import annotations

import re
from typing import Any

_STEP = re.compile(
    r"\.(?P<key>(?:[^.\[\]\\]|\\.)+)"
    r"|\[(?P<index>-?\d+|\*)\]"
    r"|\['(?P<quoted>[^']*)'\]"
    r"|\[\?\(@\.(?P<field>[\w.]+)\s*==\s*[\"'](?P<wanted>[^\"']*)[\"']\)\]"
)


def find(value: Any, path: str) -> list[Any]:
    """The values at a path such as `.status.conditions[?(@.type=="Ready")].status`."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    found = [value]
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return []
        found = [one for before in found for one in _taken(before, step)]
        at = step.end()
    return found


def _taken(value: Any, step: re.Match[str]) -> list[Any]:
    key = step["key"] if step["key"] is not None else step["quoted"]
    if key is not None:
        key = key.replace("\\.", ".")
        return [value[key]] if isinstance(value, dict) and key in value else []
    if not isinstance(value, list):
        return []
    if step["index"] == "*":
        return list(value)
    if step["index"] is not None:
        index = int(step["index"])
        return [value[index]] if -len(value) <= index < len(value) else []
    return [one for one in value if find(one, f".{step['field']}") == [step["wanted"]]]
