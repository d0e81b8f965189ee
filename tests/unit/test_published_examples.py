"""What README, docs and `config` show is what the readers take."""

import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import typer

from gitops_wf.cli.example import example_files
from gitops_wf.cli.main import app
from gitops_wf.core.config import DaemonConfig
from gitops_wf.definitions.daemon import read_daemon_config
from gitops_wf.definitions.facts import Known
from gitops_wf.definitions.problems import plain
from gitops_wf.definitions.schemas import schema_for
from gitops_wf.definitions.yaml_text import read_documents
from tests.definitions import CATALOGUE, FILES, read

ROOT = Path(__file__).parents[2]
CONFIGS = [
    ROOT / "config/gitops-wf.yaml",
    ROOT / "config/shop/gitops-wf.yaml",
    ROOT / "config/examples/cloud-database/gitops-wf.yaml",
    ROOT / "manifests/base/gitops-wf.yaml",
]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "config/examples").rglob("*.md")),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[`;&|/] ?)gitops-wf ([a-z][^`;&|#\n]*)", re.MULTILINE)

WORKFLOW = b"""\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: deploy, type: deploy2env}
"""


def fences(page, language):
    return [text for name, text in FENCE.findall(page.read_text()) if name == language]


def document(text):
    return plain(read_documents(text.encode(), "page.md")[0].value)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_config_that_is_shown_is_valid(path):
    config = read_daemon_config(path.read_bytes(), str(path), home="/home/ann")

    assert isinstance(config, DaemonConfig), config


def test_the_daemon_config_shows_every_field():
    shown = document(CONFIGS[0].read_text())
    schema = schema_for("config", CATALOGUE)
    targets, policies = shown["targets"].values(), shown["policies"]
    parts = {
        "RepositoryPart": shown["repositories"].values(),
        "TargetPart": targets,
        "GatePart": [*policies, *(t["gate"] for t in targets if "gate" in t)],
        "PolicyRulePart": policies,
        "SecretPart": shown["secrets"].values(),
        "CloudRulePart": [
            *shown["cloudResources"]["rules"],
            {"kind": "Database"},  # or `kinds`
        ],
    }
    unshown = {name for name in schema["properties"] if name not in shown}
    for part, values in parts.items():
        written = {key for value in values for key in value}
        known = schema["$defs"][part]["properties"]
        unshown |= {f"{part}.{key}" for key in known if key not in written}

    # Plain http is nothing to copy.
    assert unshown == {"RepositoryPart.allowHttp"}


@pytest.mark.parametrize("folder", ["envs/prod", "envs/staging"])
def test_the_example_repository_is_valid(folder):
    files = {
        path.removeprefix(f"{folder}/"): text.encode()
        for path, text in example_files().items()
        if path.startswith(f"{folder}/")
    }

    assert definition(folder, files, ("sandbox",)).problems == ()


def definition(folder, files, targets):
    known = Known(targets=frozenset(targets), channels=frozenset({"ops"}))
    return read(
        dict.fromkeys(FILES) | files,
        folder=folder,
        known=known,
        targets=targets,
    )


def shown_files():
    """Return (page, path, text) of each fence that says which file it is."""
    for page in PAGES:
        for text in fences(page, "yaml"):
            named = re.match(
                r"# (envs/\S+/(?:workflow|environment|approvals)\.yaml)", text
            )
            if named:
                yield pytest.param(named[1], text, id=f"{page.name}-{named[1]}")


@pytest.mark.parametrize(("path", "text"), list(shown_files()))
def test_a_file_that_a_page_shows_is_valid(path, text):
    folder, _, name = path.rpartition("/")
    sha = "4f1c2d9e" * 5
    files = {
        "workflow.yaml": WORKFLOW,
        name: text.replace("4f1c2d9e…40 hex", sha).encode(),
    }
    targets = ("prod-eu", "prod-us")

    if name == "approvals.yaml":
        jsonschema.validate(document(files[name].decode()), schema("approvals"))
    else:
        assert definition(folder, files, targets).problems == ()


def schema(kind):
    return schema_for(kind, CATALOGUE)


def shown_commands():
    for page in PAGES:
        for line in COMMAND.findall(page.read_text()):
            yield pytest.param(line.strip(), id=f"{page.name}: {line.strip()}")


@pytest.mark.parametrize("line", list(shown_commands()))
def test_a_command_that_a_page_shows_is_one(line):
    command = typer.main.get_command(app)
    words = shlex.split(line)
    while words and hasattr(command, "commands"):
        word = words.pop(0)
        assert word in command.commands, f"no command {word}"
        command = command.commands[word]
    options = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}

    assert {word for word in words if word.startswith("-")} <= options


def test_pages_link_to_what_is_there():
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in PAGES
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]

    assert broken == []
