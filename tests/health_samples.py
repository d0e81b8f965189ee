"""Samples of custom kinds: objects as their projects' controllers leave them.

`tests/data/health/rules/GROUP/KIND.yaml` lists them for the rule of that kind, with the
health and the message that each must have; `_.yaml` is for a rule of a whole group, and
`_.GROUP` for one of the end of a group.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gitops_wf.core.health import HealthRule

FOLDER = Path(__file__).parent / "data" / "health" / "rules"


@dataclass(frozen=True)
class Sample:
    place: str
    health: str
    message: str
    manifest: dict[str, Any]


@functools.cache
def samples(path: Path) -> tuple[Sample, ...]:
    group = path.parent.name.replace("_.", "test.", 1)
    return tuple(_samples(path, group))


def _samples(path: Path, group: str) -> Iterator[Sample]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for number, entry in enumerate(yaml.load(path.read_text(), loader)):
        kind = entry.get("kind", path.stem)
        assert kind != "_", f"{path}: sample {number + 1} names no kind"
        yield Sample(
            place=f"{path.relative_to(FOLDER)}: sample {number + 1}",
            health=entry["health"],
            message=entry.get("message", ""),
            manifest={
                "apiVersion": f"{entry.get('group', group)}/v1",
                "kind": kind,
                "metadata": {"name": "a", **entry.get("metadata", {})},
                "spec": entry.get("spec", {}),
                **({"status": entry["status"]} if "status" in entry else {}),
            },
        )


def path_of(rule: HealthRule) -> Path:
    group = f"_{rule.group[1:]}" if rule.group.startswith("*") else rule.group
    return FOLDER / group / f"{rule.kind or '_'}.yaml"
