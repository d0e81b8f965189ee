"""Writes into each step type's page what its model says: type, properties, outputs.

``python -m tests.step_pages`` writes it anew (of the types that it is given, else of
all); a test says when that is needed. Everything outside the marks is written by hand.
A type without a page gets one to begin with.
"""

import re
import sys
from pathlib import Path

from gitops_wf.core.durations import format_duration
from gitops_wf.definitions.schemas import properties_schema
from gitops_wf.ports.runner import StepType
from tests.definitions import CATALOGUE
from tests.field_tables import rows, table

PAGES = Path(__file__).parent.parent / "docs" / "steps"
BEGIN = "<!-- begin: written by `python -m tests.step_pages` from the step type -->\n"
END = "<!-- end -->\n"
_BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
_HEAD = ("property", "takes", "default", "means")


def block(step_type: StepType) -> str:
    """What stands between the marks, and they."""
    schema = properties_schema(step_type)
    properties = (
        table(_HEAD, rows(schema))
        if schema.get("properties")
        else "It has no properties.\n"
    )
    facts = [("does", f"{step_type.summary}")]
    if step_type.aliases:
        facts.append(("also called", _names(step_type.aliases)))
    facts.append(
        ("`timeout` by default", f"`{format_duration(step_type.default_timeout)}`")
    )
    if step_type.output_roots:
        facts.append(
            ("`outputs` may read", f"{_names(step_type.output_roots)}"),
        )
    about = "".join(f"| {name} | {value} |\n" for name, value in facts)
    return (
        f"{BEGIN}\n## Reference\n\n"
        f"| `{step_type.name}` | |\n|---|---|\n{about}\n{properties}\n{END}"
    )


def page(step_type: StepType, written: str) -> str:
    """The page with its block as it should be: in its place, else at the end."""
    new = block(step_type)
    if not written:
        return f"# {step_type.name}\n\n{new}"
    if _BLOCK.search(written):
        return _BLOCK.sub(lambda _: new, written, count=1)
    return f"{written.rstrip()}\n\n{new}"


def page_of(name: str) -> Path:
    """Where a step type's page stands."""
    return PAGES / f"{name}.md"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _write(name: str) -> None:
    step_type = CATALOGUE.get(name)
    if step_type is None:
        raise SystemExit(f"there is no step type {name}")
    path = page_of(step_type.name)
    written = path.read_text() if path.exists() else ""
    path.write_text(page(step_type, written))


if __name__ == "__main__":
    for each in sys.argv[1:] or CATALOGUE.names():
        _write(each)
