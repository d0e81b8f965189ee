"""Writes the reference page of phases from the engine's own table.

``python -m tests.phases_page`` writes it anew; a test says when that is needed.
"""

from pathlib import Path

from gitops_wf.core.engine import TRANSITIONS
from gitops_wf.core.phases import FINAL, Phase

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "phases.md"

_MEANING = {
    Phase.PENDING: "It has not begun: it waits for its turn, or for other steps.",
    Phase.RUNNING: "It is carried out, looked at, or about to be tried again.",
    Phase.SUSPENDED: "It waits for an approval, or for a duration to pass.",
    Phase.SUCCEEDED: "It is done, and all is well.",
    Phase.FAILED: "It ran, and the answer is no.",
    Phase.ERRORED: "It could not be found out: a technical problem.",
    Phase.ABORTED: "It was ended early: superseded, rejected, aborted.",
    Phase.SKIPPED: "A step only: it was left out. Nothing failed by that.",
}

_HEAD = """\
<!-- Written by `python -m tests.phases_page` from gitops_wf/core/engine/transitions.py -->
# Phases

Runs and steps go from phase to phase by one table; what is not in it cannot happen.
A group, or a step on several targets, has the sum of its sub-steps as its phase.

| phase | means | may become |
|---|---|---|
"""


def page() -> str:
    """The page as it should be."""
    rows = "".join(
        f"| `{phase}` | {_MEANING[phase]} | {_after(phase)} |\n" for phase in Phase
    )
    arrows = "".join(
        f"    {old} --> {new}\n"
        for old in Phase
        for new in Phase
        if new in TRANSITIONS[old]
    )
    ends = "".join(f"    {phase} --> [*]\n" for phase in Phase if phase in FINAL)
    diagram = f"```mermaid\nstateDiagram-v2\n    [*] --> Pending\n{arrows}{ends}```\n"
    return f"{_HEAD}{rows}\n{diagram}"


def _after(phase: Phase) -> str:
    after = [f"`{new}`" for new in Phase if new in TRANSITIONS[phase]]
    return ", ".join(after) or "nothing: it is final"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
