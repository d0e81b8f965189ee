"""What a real API server (v1.36.2) answered, as `tests/data/kubernetes` has it.

A file is a scenario: requests in order, each with its answer. Texts in angle brackets
(`<uid-1>`, `<time>`) stand for what differs from run to run.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import yaml

DATA = Path(__file__).parent / "data" / "kubernetes"

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A request, its answer, and the object as it was answered last before it."""

    scenario: str
    n: int
    method: str
    path: str
    subresource: str
    query: dict[str, str]
    content_type: str
    user_agent: str
    raw: Any
    """The body as it was recorded: text where its exact bytes matter."""
    body: Any
    """The body as a value; None if it can't be read."""
    status: int
    answer: Any
    note: str = ""
    live: Object | None = field(default=None, repr=False)

    @property
    def manager(self) -> str:
        return self.query.get("fieldManager", self.user_agent.partition("/")[0])

    def __str__(self) -> str:
        return f"{self.scenario}-{self.n}"


@cache
def steps(scenario: str) -> tuple[Step, ...]:
    """The steps of a scenario, by the number that its file begins with."""
    [path] = DATA.glob(f"{scenario}-*.json")
    return tuple(_steps(scenario, json.loads(path.read_text())["steps"]))


def step(scenario: str, n: int) -> Step:
    """One step by its number."""
    return next(found for found in steps(scenario) if found.n == n)


def _steps(scenario: str, recorded: list[Any]) -> Iterator[Step]:
    objects: dict[str, Object] = {}
    for one in recorded:
        request, response = one["request"], one["response"]
        path, _, query = request["path"].partition("?")
        subresource = ""
        if path.endswith(("/status", "/scale")):
            path, _, subresource = path.rpartition("/")
        # Of a parameter that is there twice the first counts.
        parameters = dict(reversed(parse_qsl(query)))
        answer = response.get("body")
        yield Step(
            scenario=scenario,
            n=one["n"],
            method=request["method"],
            path=path,
            subresource=subresource,
            query=parameters,
            content_type=request.get("headers", {}).get("Content-Type", ""),
            user_agent=request.get("headers", {}).get("User-Agent", ""),
            raw=request.get("body"),
            body=_body(request.get("body")),
            status=response["status"],
            answer=answer,
            note=one.get("note", ""),
            live=objects.get(path),
        )
        if _is_object(answer) and "dryRun" not in parameters:
            name = answer["metadata"]["name"]
            key = f"{path}/{name}" if request["method"] == "POST" else path
            if subresource != "scale":
                objects[key] = answer


def _body(body: Any) -> Any:
    if not isinstance(body, str):
        return body
    try:
        return yaml.safe_load(body)
    except yaml.YAMLError:
        return None


def _is_object(answer: Any) -> bool:
    return isinstance(answer, dict) and "uid" in answer.get("metadata", {})
