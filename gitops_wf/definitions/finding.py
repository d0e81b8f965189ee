"""What a rule's check reports."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gitops_wf.definitions.facts import Facts
from gitops_wf.definitions.problems import Location, Problem, line_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A broken rule: where in which file, and what would be right.

    `extra_lines` is how far below the start of a text of several lines it is; `file`
    is the path of one that is neither the workflow's nor environment.yaml.
    """

    location: Location
    message: str
    in_workflow: bool = True
    extra_lines: int = 0
    file: str | None = None

    def problem(self, rule: str, facts: Facts) -> Problem:
        """The finding with its path and line."""
        if self.file is not None:
            return Problem(rule=rule, path=self.file, line=None, message=self.message)
        document = (
            facts.workflow_document if self.in_workflow else facts.environment_document
        )
        line = line_at(document, self.location)
        return Problem(
            rule=rule,
            path=facts.workflow_path if self.in_workflow else facts.environment_path,
            line=None if line is None else line + self.extra_lines,
            message=self.message,
        )


Check = Callable[[Facts], Iterator[Finding]]


def in_environment(location: Location, message: str) -> Finding:
    """A finding in environment.yaml."""
    return Finding(location=location, message=message, in_workflow=False)


def in_workflow(location: Location, message: str) -> Finding:
    """A finding in the workflow's file."""
    return Finding(location=location, message=message)
