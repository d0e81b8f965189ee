from pathlib import Path

import gitops_wf
from gitops_wf.cli.reference import reference

PAGE = Path(gitops_wf.__file__).parents[1] / "docs" / "reference" / "cli.md"


def test_the_reference_page_is_what_the_commands_say():
    assert PAGE.read_text() == reference(), (
        "write it anew: python -m gitops_wf.cli.reference > docs/reference/cli.md"
    )


def test_every_command_of_the_design_is_there():
    page = reference()

    for command in (
        *(
            "init",
            "demo",
            "pause",
            "resume",
            "run",
            "validate",
            "describe",
            "history",
            "events",
            "wait",
        ),
        *("approve", "reject", "retry", "redeploy", "abort", "rollback"),
        *("notify-test", "health", "schema", "version", "sandbox start"),
        *("get environments", "get revisions", "get runs", "get decisions"),
        *("get targets", "get inventory", "get repositories"),
    ):
        assert f"\n## gitops-wf {command}\n" in page
