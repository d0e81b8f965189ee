"""How a secret may stand in a text, worked out apart from the product's own code."""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus


def encodings(value: str) -> dict[str, str]:
    """Each usual form of a value by its name; base64 less what its neighbours share."""
    raw = value.encode()
    forms = {
        "plain": value,
        "quoted": quote(value, safe=""),
        "quoted in a path": quote(value),
        "quoted in lower case": re.sub(
            "%..", lambda found: found[0].lower(), quote(value, safe="")
        ),
        "quoted in a form": quote_plus(value),
        "JSON": json.dumps(value)[1:-1],
        "JSON in UTF-8": json.dumps(value, ensure_ascii=False)[1:-1],
        "JSON in JSON": json.dumps(json.dumps(value))[3:-3],
        "repr": repr(value)[1:-1],
        "HTML": html.escape(value),
    }
    for before in ("", "u", "us", "use"):
        text = base64.b64encode(before.encode() + raw + b"!!").decode()
        start, end = -(-8 * len(before) // 6), 8 * (len(before) + len(raw)) // 6
        forms[f"base64 after {len(before)}"] = text[start:end]
        forms[f"base64url after {len(before)}"] = (
            text[start:end].replace("+", "-").replace("/", "_")
        )
    return forms


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    """Which secrets stand in a text, and in which form."""
    return [
        f"{name} ({form})"
        for name, value in secrets.items()
        for form, encoded in encodings(value).items()
        if encoded in text
    ]
