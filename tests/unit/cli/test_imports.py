"""Commands start fast because they load no more than they use.

Time itself is not asserted: which modules are loaded is the cause, and is the same on
every machine.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_wf.adapters.sql_store import open_store
from tests.daemons import environment

LOOK = """
import json, sys
from gitops_wf.cli.main import run
code = run(json.loads(sys.argv[1]))
print(json.dumps([code, sorted(sys.modules)]))
"""

HEAVY = {
    *("apscheduler", "asyncio", "cel", "cryptography", "dbos", "git", "httpx"),
    *("kubernetes", "sqlalchemy", "uvicorn", "watchfiles"),
    *("gitops_wf.core.engine", "gitops_wf.definitions"),
}
LOOKING = {"asyncio", "gitops_wf.core.engine", "gitops_wf.definitions", "sqlalchemy"}
"""What reading the config and the store takes; asyncio comes with sqlalchemy."""


def loaded(place: Path, *arguments: str) -> set[str]:
    """The modules that a command has loaded when it is done."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(arguments)],
        cwd=place,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout + done.stderr
    return set(modules)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["get", "--help"], ["sandbox", "--help"]]
)
def test_help_loads_nothing_that_only_a_command_uses(tmp_path, arguments):
    assert not loaded(tmp_path, *arguments) & HEAVY


def test_looking_loads_neither_the_executor_nor_clients_nor_servers(tmp_path):
    config = tmp_path / "gitops-wf.yaml"
    config.write_text(
        "repositories: {shop: {url: /srv/shop.git}}\ntargets: {disk: {directory: out}}"
    )
    (tmp_path / ".gitops-wf").mkdir()
    open_store(f"sqlite:///{tmp_path}/.gitops-wf/gitops-wf.db").close()

    modules = loaded(tmp_path, "get", "revisions", "--config", str(config))

    assert not modules & (HEAVY - LOOKING)
    assert "sqlalchemy" in modules


@pytest.mark.parametrize(
    ("part", "unused"),
    [
        ("gitops_wf.bootstrap.running", {"cel", "fastapi", "uvicorn"}),
        ("gitops_wf.sandbox.serving", {"cel", "kubernetes", "rich", "typer"}),
    ],
)
def test_a_process_loads_nothing_that_many_of_its_kind_never_use(part, unused):
    """A daemon may serve nothing; no rule of a sandbox's kinds need be CEL."""
    look = f"import sys, {part}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", look],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert not set(done.stdout.split()) & unused


def test_what_is_called_heavy_can_be_loaded():
    """Else a module that was renamed would pass for one that is not loaded."""
    names = json.dumps(sorted(HEAVY))
    look = "import json, sys; [__import__(name) for name in json.loads(sys.argv[1])]"
    done = subprocess.run(
        [sys.executable, "-c", look, names],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
