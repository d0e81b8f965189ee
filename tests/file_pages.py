"""Writes the reference pages of our files from their schemas and tested examples.

``python -m tests.file_pages`` writes them anew; a test says when that is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitops_wf.definitions.schemas import schema_for
from tests.definitions import CATALOGUE

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "reference"
VALID = Path("tests/data/definitions/valid")


@dataclass(frozen=True)
class Page:
    kind: str
    title: str
    about: str
    example: Path
    explained: tuple[str, ...]


FILES = (
    Page(
        "config",
        "The daemon config",
        "What the platform team trusts the daemon with; `gitops-wf run --config FILE`.\n"
        "Relative paths begin at the file's own folder.",
        Path("config/gitops-wf.yaml"),
        (
            (
                "two repositories are watched: `shop` over https with a token, `payments`"
                " over ssh with a key;"
            ),
            (
                "`prod-eu` takes some kinds in some namespaces; writes to it wait at a"
                " gate until one of `release-team` approved, unless it is a rollback;"
            ),
            (
                "`shop/prod` may be approved by two of `release-team`, by signed commits,"
                " and may use no other targets than `staging` and `prod-eu`;"
            ),
            (
                "environments of `shop` are delivered to `prod-eu` as the service account"
                " `shop/deployer`, those of `payments` as a user, and no others are;"
            ),
            (
                "each secret names who may use it and where it may be sent; without"
                " `environments` it is the daemon's own;"
            ),
            (
                "a `Database` of example.com is judged by its own phase: see"
                " [health](health.md);"
            ),
            (
                "a released revision is compared with what is live every five minutes, and"
                " the replicas of some Deployments may differ: see"
                " [drift](../operations/drift.md);"
            ),
            "what waits, fails or is rolled back, anywhere, is told to the channel `ops`.",
        ),
    ),
    Page(
        "environment",
        "environment.yaml",
        "Makes a folder an environment and says how its revisions run. A folder with a"
        " `workflow.yaml` needs none.",
        VALID / "envs/prod/environment.yaml",
        (
            "the environment delivers to the targets that it lists, and to no other;",
            (
                "it waits until `staging` has succeeded with the same commit or an earlier"
                " one;"
            ),
            "a change of a watched path is a change of the environment.",
        ),
    ),
    Page(
        "workflow",
        "workflow.yaml",
        "The work that each revision does, in order. Without it, one `deploy2env` per"
        " target is generated. Each step type has its own page in [steps](../steps/).",
        VALID / "envs/prod/workflow.yaml",
        (
            (
                "steps follow each other; a step that failed skips those after it, but for"
                " `if: always`;"
            ),
            "`go-live` waits for an approval commit, and is left out for a rollback.",
        ),
    ),
    Page(
        "approvals",
        "approvals.yaml and approvals/*.yaml",
        "Decisions about revisions of the environment in whose folder they stand."
        " `gitops-wf approve`, `reject`, `retry`, `redeploy` and `abort` write them.",
        VALID / "envs/prod/approvals.yaml",
        (
            (
                "an entry names the revision by its commit, quoted, in at least seven hex"
                " digits;"
            ),
            "it counts for the author of the commit that introduced it;",
            "the last one counts only if what was delivered before has this digest.",
        ),
    ),
)


def page(item: Page) -> str:
    """The page as it should be."""
    schema = schema_for(item.kind, CATALOGUE)
    rows = "".join(f"| {' | '.join(row)} |\n" for row in _rows(schema))
    points = "".join(f"- {point}\n" for point in item.explained)
    return (
        "<!-- Written by `python -m tests.file_pages` from the JSON Schema -->\n"
        f"# {item.title}\n\n{item.about}\n\n"
        f"```yaml\n{(ROOT / item.example).read_text()}```\n\n"
        f"In this example:\n\n{points}\n"
        "## Fields\n\n"
        f"`gitops-wf schema {item.kind}` prints the JSON Schema for editors.\n\n"
        "| field | takes | default | means |\n|---|---|---|---|\n"
        f"{rows}"
    )


def _rows(schema: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    definitions = schema.get("$defs", {})
    tops = schema.get("anyOf", [schema])
    yield from _fields(tops[0], definitions, "", ())


def _fields(
    schema: dict[str, Any],
    definitions: dict[str, Any],
    above: str,
    seen: tuple[str, ...],
) -> Iterator[tuple[str, str, str, str]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        path = f"{above}{name}"
        inner = _inner(field, definitions)
        needed = "required" if name in required else _default(field)
        means = field.get("description", "").replace("|", "\\|")
        yield f"`{path}`", _takes(field, definitions), needed, means
        for suffix, model, part in inner:
            if model not in seen:
                yield from _fields(
                    part, definitions, f"{path}{suffix}.", (*seen, model)
                )


def _inner(
    field: dict[str, Any], definitions: dict[str, Any]
) -> list[tuple[str, str, dict[str, Any]]]:
    """The models that a field holds: itself, in a list, or by name."""
    found = []
    for choice in field.get("anyOf", field.get("oneOf", [field])):
        named = [choice.get("additionalProperties")]
        named += choice.get("patternProperties", {}).values()
        for suffix, part in (
            ("", choice),
            ("[]", choice.get("items")),
            *((".<name>", part) for part in named),
        ):
            if isinstance(part, dict) and "$ref" in part:
                model = part["$ref"].rpartition("/")[2]
                found.append((suffix, model, definitions[model]))
    return found


def _takes(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    choices = field.get("anyOf", field.get("oneOf", [field]))
    words = [_word(choice) for choice in choices]
    return " or ".join(dict.fromkeys(word for word in words if word))


def _word(choice: dict[str, Any]) -> str:
    if "const" in choice:
        return f"`{choice['const']}`"
    if "enum" in choice:
        return ", ".join(f"`{value}`" for value in choice["enum"])
    if "$ref" in choice:
        return "a map"
    match choice.get("type"):
        case "null":
            return ""
        case "array":
            return f"a list of {_word(choice.get('items', {})) or 'values'}"
        case "object":
            return "a map by name"
        case "string" if "(ms|d|h|m|s)" in choice.get("pattern", ""):
            return "a duration"
        case ["string", "integer"] if "[KMGT]" in choice.get("pattern", ""):
            return "a size"
        case "string":
            return "text"
        case "boolean":
            return "true or false"
        case "integer" | "number":
            return "a number"
        case _:
            return "any value"


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    return "" if isinstance(value, dict) else f"`{value}`"


if __name__ == "__main__":
    for item in FILES:
        (PAGES / f"{item.kind}.md").write_text(page(item))
