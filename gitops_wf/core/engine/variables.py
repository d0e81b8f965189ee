"""What the expressions of a run see."""

from typing import Any

from gitops_wf.core.engine.outcome import outcome
from gitops_wf.core.identifiers import environment_name
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import Run, StepRun
from gitops_wf.core.workflow import Step


def variables(run: Run) -> dict[str, Any]:
    """Return the roots: status, outputs, revision, environment, run, context.

    A name with ``-`` also stands with ``_``, since ``-`` is subtraction in CEL.
    """
    subject = run.subject
    outputs: dict[str, Any] = {}
    for step in run.steps:
        outputs.update(step.outputs)
    revision = {
        "number": subject.number,
        "commit": subject.commit,
        "short": subject.commit[:8],
        "branch": subject.branch,
        "rollback": subject.rollback,
        "changed": list(subject.changed),
        "source": subject.source,
        "author": subject.author,
        "subject": subject.subject,
    }
    environment = {
        "name": environment_name(subject.environment),
        "application": subject.application,
        "targets": list(subject.targets),
    }
    return {
        "status": _with_underscores({s.name: _status(s) for s in run.steps}),
        "outputs": _with_underscores(outputs),
        "inputs": {},
        "revision": revision,
        "environment": environment,
        "run": {
            "id": run.id,
            "ordinal": run.ordinal,
            "outcome": outcome(run)[0].value,
            "started": run.started.isoformat() if run.started else "",
        },
        "context": {
            "name": environment["name"],
            "appName": subject.application,
            "revision": subject.number,
            "commit": subject.commit,
        },
    }


def variables_for(run: Run, step: Step) -> dict[str, Any]:
    """Return the roots with the step's own inputs, keyed by their source."""
    seen = variables(run)
    seen["inputs"] = _with_underscores(
        {item.source: find(seen, item.source) for item in step.inputs}
    )
    return seen


def find(seen: dict[str, Any], source: str) -> Any:
    """Return the value of an input's source: an output's name, or a dotted path."""
    outputs = seen["outputs"]
    if source in outputs:
        return outputs[source]
    value: Any = outputs if source.split(".", maxsplit=1)[0] in outputs else seen
    for part in source.split("."):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value


def _status(step: StepRun) -> dict[str, Any]:
    return {
        "name": step.name,
        "type": step.type,
        "phase": step.phase.value,
        "reason": step.reason,
        "message": step.message,
        "attempts": step.attempt,
        "succeeded": step.phase is Phase.SUCCEEDED,
        "failed": step.phase.is_bad,
        "skipped": step.phase is Phase.SKIPPED,
        "timeout": step.reason == Reason.TIMEOUT,
    }


def _with_underscores(named: dict[Any, Any]) -> dict[str, Any]:
    both = {name.replace("-", "_"): value for name, value in named.items()}
    return both | named
