"""The JSON that the webhook step posts where no ``data`` is given.

Its schema is published as docs/reference/webhook-payload.schema.json; fields are only
ever added.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gitops_wf.core.identifiers import StepName, environment_name, repository_name
from gitops_wf.core.run import Subject

API_VERSION = "gitops-wf.io/v1alpha1"


def run_payload(
    *,
    subject: Subject,
    run: str,
    ordinal: int,
    step: StepName,
    started: datetime,
    variables: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the run as it stands when the step begins.

    The same on each repetition of a step, less what other steps did meanwhile;
    ``variables`` are what expressions see: its ``status`` and ``run.outcome``.
    """
    about_run = variables.get("run")
    outcome = about_run.get("outcome", "") if isinstance(about_run, Mapping) else ""
    return {
        "apiVersion": API_VERSION,
        "kind": "RunReport",
        "environment": {
            "id": subject.environment,
            "repository": repository_name(subject.environment),
            "name": environment_name(subject.environment),
            "application": subject.application,
            "targets": list(subject.targets),
        },
        "revision": {
            "number": subject.number,
            "commit": subject.commit,
            "branch": subject.branch,
            "inputs": subject.inputs,
            "rollback": subject.rollback,
            "changed": list(subject.changed),
            "source": subject.source,
            "author": subject.author,
            "subject": subject.subject,
        },
        "run": {
            "id": run,
            "ordinal": ordinal,
            "outcome": str(outcome),
            "steps": _steps(variables.get("status")),
        },
        "step": {"name": step, "startedAt": started.isoformat()},
    }


def _steps(status: object) -> dict[str, dict[str, str]]:
    """Return phase, reason and message of each step, and nothing else of it."""
    if not isinstance(status, Mapping):
        return {}
    return {
        str(name): {
            key: str(step.get(key, "")) for key in ("phase", "reason", "message")
        }
        for name, step in status.items()
        if isinstance(step, Mapping)
    }
