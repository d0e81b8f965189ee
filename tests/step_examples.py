"""Runs what a step type's page shows as an example: the page must be right.

On a page in docs/steps, of a type T:

- A fence of `yaml` that begins with `- ` is a list of steps. It is read, and run to its
  end as the workflow of an environment `envs/prod` whose default target is `prod-eu`,
  in a world as tests/worlds.py has it. What waits for approval gets it, and time passes
  by itself. A fence that begins with `  properties:` shows others of a step of T.
- A fence that begins with a comment `# envs/prod/jobs/seed.yaml` is that file of the
  repository. What is not worth showing stands in tests/data/steps/T/repository.
- `<!-- example: ends Failed -->` above a fence: another end than Succeeded.
  `<!-- example: not run, WHY -->`: it is only read; each page has one that is run.

What the world needs stands in tests/data/steps/T: objects that are on the cluster
before in cluster.yaml, objects with the status that their operator would give them in
statuses.yaml, and in answers.yaml what a URL answers as JSON
(`ci.example.com/hook: {id: 7}`).

Each host that the properties name must have been asked, and each target, or the
namespace named beside it, written to.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.receivers import Reply
from tests.worlds import WORKFLOW, World, documents, known_of, under, workflow, world

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data" / "steps"

_FENCE = re.compile(
    r"(?:<!-- example: (?P<mark>[^\n]*) -->\n)?^```\w+\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r"# ([\w.-]+(?:/[\w.-]+)+)\n")
_MARK = re.compile(r"ends (?P<end>[A-Z]\w+)|not run, (?P<why>.+)")


@dataclass(frozen=True, kw_only=True)
class Example:
    """A list of steps as a page shows it, and the files that the page shows."""

    page: str
    number: int
    steps: str
    end: str
    why_not_run: str
    shown: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"

    @property
    def files(self) -> dict[str, str]:
        """The repository at its one commit."""
        folder = DATA / self.page / "repository"
        kept = {
            path.relative_to(folder).as_posix(): path.read_text()
            for path in folder.rglob("*")
            if path.is_file()
        }
        return kept | dict(self.shown) | {WORKFLOW: workflow(self.steps)}

    @property
    def named_hosts(self) -> set[str]:
        """Hosts to which its steps send, by URL, by secret or by channel."""
        found = set()
        for properties in self._properties():
            for url in under(properties, "url"):
                value = url.get("value") if isinstance(url, dict) else url
                if value is not None:
                    found.add(urlsplit(value).netloc)
            for ref in under(properties, "secretRef"):
                if ref.get("key") == "url":
                    found.add(f"{ref['name']}.example")
            found |= {f"{name}.example" for name in properties.get("channels", ())}
        return found

    @property
    def mails(self) -> bool:
        """Whether one of its steps sends mail."""
        return any("email" in properties for properties in self._properties())

    @property
    def named_places(self) -> set[str]:
        """Namespaces and targets that stand in the properties of its steps."""
        found = set()
        for properties in self._properties():
            for place in (properties, *properties.get("placements", ())):
                named = place.get("targets", [place.get("target")])
                found |= {place.get("namespace", each) for each in named}
        return found - {None}

    def _properties(self) -> Iterator[dict[str, Any]]:
        return under(yaml.safe_load(self.steps), "properties")


def examples(page: Path) -> list[Example]:
    """The lists of steps that a page shows; AssertionError for an unknown mark."""
    found = list(_FENCE.finditer(page.read_text()))
    shown = tuple(
        (named[1], fence["text"])
        for fence in found
        if (named := _FILE.match(fence["text"]))
    )
    listed: list[Example] = []
    for fence in found:
        steps = fence["text"]
        if steps.startswith("  properties:"):
            steps = f"- name: example\n  type: {page.stem}\n{steps}"
        elif not steps.startswith("- "):
            continue
        mark = _MARK.fullmatch(fence["mark"] or "ends Succeeded")
        assert mark, f"{page}: write `ends PHASE` or `not run, WHY`: {fence['mark']}"
        listed.append(
            Example(
                page=page.stem,
                number=len(listed) + 1,
                steps=steps,
                end=mark["end"] or "",
                why_not_run=mark["why"] or "",
                shown=shown,
            )
        )
    return listed


def check(example: Example, folder: Path) -> None:
    """Run an example, and see that it ends as it should and did what it names."""
    with world(
        folder,
        known_of(example.files),
        cluster_has=_kept(example, "cluster.yaml"),
        statuses=_kept(example, "statuses.yaml"),
    ) as around:
        for document in _kept(example, "answers.yaml"):
            for place, answer in document.items():
                around.answers[place] = Reply(body=json.dumps(answer).encode())
        around.commit(example.files, "Show an example")
        around.go_on()
        _check(example, around)


def _check(example: Example, around: World) -> None:
    revision = around.line.revisions("prod")[-1]
    assert str(revision.phase) == example.end, (
        f"{revision.reason}: {revision.message}\n"
        + ("" if revision.workflow is None else around.where())
    )
    asked = {received.headers["x-host"] for received in around.http.received}
    assert example.named_hosts <= asked, f"only {sorted(asked)} were asked"
    written = around.written()
    assert example.named_places <= written, f"only {sorted(written)} were written to"
    assert bool(around.mailbox.mails) is example.mails


def _kept(example: Example, name: str) -> Iterator[Any]:
    path = DATA / example.page / name
    return documents(path.read_text() if path.exists() else "")
