"""Values and errors as Go prints them in the server's messages."""

from __future__ import annotations

import json
from typing import Any


def go_json(value: Any) -> str:
    """A value as the server prints it in an error: compact, keys in order."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def go_json_error(text: str) -> str:
    """What Go's decoder says about text that is not JSON."""
    stripped = text.lstrip()
    if not stripped:
        return "unexpected end of JSON input"
    for literal in ("null", "true", "false"):
        if stripped[0] == literal[0]:
            for at in range(1, len(literal)):
                if at >= len(stripped):
                    return "unexpected end of JSON input"
                if stripped[at] != literal[at]:
                    return (
                        f"invalid character '{stripped[at]}' in literal {literal} "
                        f"(expecting '{literal[at]}')"
                    )
    if stripped[0] == "{" and len(stripped) > 1 and stripped[1] not in ' "}\n\t\r':
        return (
            f"invalid character '{stripped[1]}' looking for beginning of object key "
            "string"
        )
    if stripped[0] in '{["' or stripped[0].isdigit():
        return "unexpected end of JSON input"
    return f"invalid character '{stripped[0]}' looking for beginning of value"
