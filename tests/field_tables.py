"""Tables of the fields of a JSON Schema, for pages that people read.

A row is (field, what it takes, its default, what it means), all in Markdown; fields of
nested models follow their own with dotted names.
"""

from collections.abc import Iterator
from typing import Any

Row = tuple[str, str, str, str]

SECRET = "`{secretRef: {name, key}}`"
SHARED = {
    "SecretSource": SECRET,
    "UrlSource": f"text, `{{value: text}}` or {SECRET}",
    "SecretKey": "`{name, key}`",
    "JsonValue": "any value",
    "Datum": f"text, {SECRET} or `{{secretKeyRef: {{name, key, namespace}}}}`",
}
"""Models that many fields share: said in words, and not taken apart each time."""

_EVIDENT = frozenset({"a map", "any value"})
_PLURALS = {"a map": "maps", "a number": "numbers", "a duration": "durations"}


def rows(schema: dict[str, Any]) -> Iterator[Row]:
    """The rows of a model's schema."""
    definitions = schema.get("$defs", {})
    tops = schema.get("anyOf", [schema])
    yield from _fields(tops[0], definitions, "", ())


def table(head: tuple[str, str, str, str], found: Iterator[Row]) -> str:
    """Markdown for them, with these words over the columns."""
    lines = [f"| {' | '.join(line)} |\n" for line in (head, *found)]
    return "".join([lines[0], "|---|---|---|---|\n", *lines[1:]])


def _fields(
    schema: dict[str, Any],
    definitions: dict[str, Any],
    above: str,
    seen: tuple[str, ...],
) -> Iterator[Row]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        path = f"{above}{name}"
        inner = _inner(field, definitions)
        needed = "required" if name in required else _default(field)
        means = field.get("description", "").replace("|", "\\|")
        yield f"`{path}`", _takes(field), needed, means
        for suffix, model, part in inner:
            if model not in seen:
                yield from _fields(
                    part, definitions, f"{path}{suffix}.", (*seen, model)
                )


def _choices(field: dict[str, Any]) -> list[dict[str, Any]]:
    """What a field takes, each by itself; choices in choices are choices."""
    for key in ("anyOf", "oneOf"):
        if key in field:
            return [inner for each in field[key] for inner in _choices(each)]
    return [field]


def _inner(
    field: dict[str, Any], definitions: dict[str, Any]
) -> list[tuple[str, str, dict[str, Any]]]:
    """The models that a field holds: itself, in a list, or by name."""
    found = []
    for choice in _choices(field):
        for suffix, holder in (
            ("", choice),
            ("[]", choice.get("items")),
            *((".<name>", part) for part in _values(choice)),
        ):
            for part in _choices(holder) if isinstance(holder, dict) else ():
                model = part.get("$ref", "").rpartition("/")[2]
                if model and model not in SHARED:
                    found.append((suffix, model, definitions[model]))
    return found


def _values(choice: dict[str, Any]) -> list[Any]:
    return [
        choice.get("additionalProperties"),
        *choice.get("patternProperties", {}).values(),
    ]


def _takes(field: dict[str, Any]) -> str:
    words = dict.fromkeys(_word(choice) for choice in _choices(field))
    return " or ".join(word for word in words if word)


def _word(choice: dict[str, Any]) -> str:
    if "const" in choice:
        return f"`{choice['const']}`"
    if "enum" in choice:
        return ", ".join(f"`{value}`" for value in choice["enum"])
    if "$ref" in choice:
        return SHARED.get(choice["$ref"].rpartition("/")[2], "a map")
    match choice.get("type"):
        case "null":
            return ""
        case "array":
            words = _takes(choice.get("items", {})) or "values"
            return f"a list of {_PLURALS.get(words, words)}"
        case "object":
            return "a map" + _each(choice)
        case "string" if "(ms|d|h|m|s)" in choice.get("pattern", ""):
            return "a duration"
        case "string" if "90s" in choice.get("examples", ()):
            return "a duration"
        case ["string", "integer"] if "[KMGT]" in choice.get("pattern", ""):
            return "a size"
        case "string":
            return "text"
        case "boolean":
            return "true or false"
        case "integer" | "number":
            return "a number" + _bounds(choice)
        case _:
            return "any value"


def _each(choice: dict[str, Any]) -> str:
    for values in _values(choice):
        if isinstance(values, dict):
            words = _takes(values)
            return " by name" + ("" if words in _EVIDENT else f", each {words}")
    return ""


def _bounds(choice: dict[str, Any]) -> str:
    least, most = choice.get("minimum"), choice.get("maximum")
    if most == 1_000_000:
        most = None  # what keeps any number of a file in bounds
    if least is None:
        return "" if most is None else f", at most {most}"
    return f", at least {least}" if most is None else f" from {least} to {most}"


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    return "" if isinstance(value, dict) else f"`{value}`"
