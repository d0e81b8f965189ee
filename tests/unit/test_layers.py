"""Each import contract breaks when it is violated: one planted import for each."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PLANTED = {
    "Layers point inwards": ("ports/planted.py", "gitops_wf.services.due"),
    "Only bootstrap knows the implementations": (
        "services/planted.py",
        "gitops_wf.adapters.system_clock",
    ),
    "The core does no I/O and reads no clock": ("core/planted.py", "os"),
    "Third-party I/O libraries stay in adapters": ("delivery/planted.py", "httpx"),
    "Steps are unaware of each other": (
        "steps/planted.py",
        "gitops_wf.steps.suspend",
    ),
    "Adapters are unaware of each other": (
        "adapters/planted.py",
        "gitops_wf.adapters.system_clock",
    ),
    "The sandbox stands alone": ("sandbox/planted.py", "gitops_wf.core.phases"),
    "No cycles anywhere": ("daemon/planted.py", "gitops_wf.daemon.polls"),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What lint-imports says of a copy of the package with every violation in it."""
    copy = tmp_path_factory.mktemp("planted")
    shutil.copytree(ROOT / "gitops_wf", copy / "gitops_wf")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for path, module in PLANTED.values():
        (copy / "gitops_wf" / path).write_text(f"import {module}\n")
    polls = copy / "gitops_wf/daemon/polls.py"
    polls.write_text(polls.read_text() + "\nimport gitops_wf.daemon.planted\n")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, importlinter.cli; sys.exit(importlinter.cli.lint_imports())",
        ],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(copy)},
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_every_contract_has_a_planted_violation():
    text = (ROOT / "pyproject.toml").read_text()

    assert text.count("[[tool.importlinter.contracts]]") == len(PLANTED)
    assert all(f'name = "{name}"' in text for name in PLANTED)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_breaks_its_contract(report, name):
    assert f"{name} BROKEN" in report
