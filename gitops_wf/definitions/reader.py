"""Reads an environment's files: the port `Definitions` over bytes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel

from gitops_wf.core.decision import Entry
from gitops_wf.core.environment import Environment, Wait
from gitops_wf.core.errors import DefinitionError
from gitops_wf.core.identifiers import EnvironmentName, TargetName, environment_id
from gitops_wf.core.inputs import ENVIRONMENT, WORKFLOW
from gitops_wf.definitions import globs
from gitops_wf.definitions.charts import chart_of, needs
from gitops_wf.definitions.cloud_content import first_cloud_resource, no_hub_for
from gitops_wf.definitions.decisions import read_decisions
from gitops_wf.definitions.documents import empty_file, single_map
from gitops_wf.definitions.environment_file import EnvironmentFile
from gitops_wf.definitions.environment_rules import resolved
from gitops_wf.definitions.facts import Facts, Known, meant
from gitops_wf.definitions.fields import API_VERSION, MAX_NAME, Part, PathName
from gitops_wf.definitions.kustomizations import bases_of
from gitops_wf.definitions.problems import Problem, errors
from gitops_wf.definitions.rules import broken_rules
from gitops_wf.definitions.shape import shaped
from gitops_wf.definitions.waits import waits_in
from gitops_wf.definitions.workflow_file import WorkflowFile
from gitops_wf.definitions.workflows import core_workflow, generated_workflow
from gitops_wf.ports.definitions import Definition, FolderSource
from gitops_wf.ports.runner import StepCatalogue

M = TypeVar("M", bound=BaseModel)
_NO_NAME = re.compile(r"[^a-z0-9]+")


class _Named(Part):
    """Only the name of an environment.yaml."""

    model_config = Part.model_config | {"extra": "ignore"}

    name: PathName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A control file as read: its document and model, as far as there are any."""

    path: str
    document: Any = None
    model: Any = None


class DefinitionReader:
    """Definitions over a catalogue of step types and what the daemon config has."""

    def __init__(self, catalogue: StepCatalogue, known: Known | None = None) -> None:
        self._catalogue = catalogue
        self._known = known or Known()

    def name(
        self, folder: str, patterns: Sequence[str], data: bytes | None
    ) -> EnvironmentName:
        """A folder's environment name: `name:` of its file, else its path's.

        A path's name is its part below the glob's fixed prefix, in lower case, with
        `-` for what no name may hold. Errors: DefinitionError where the file, or the
        name in it, is not valid.
        """
        if data is not None:
            path = _join(folder, ENVIRONMENT)
            document, problems = single_map(data, path)
            if not problems and document is not None:
                named, problems = shaped(_Named, document, path)
                if named is not None and named.name is not None:
                    return EnvironmentName(named.name)
            if problems:
                raise errors(problems)[0]
        parts = globs.name_below(folder, patterns).split("/")
        return EnvironmentName("/".join(_as_name(part) for part in parts))

    def is_environment_folder(self, folder: str, patterns: Sequence[str]) -> bool:
        """Whether the globs of a repository match a folder."""
        return globs.matches(folder, patterns)

    def read(self, source: FolderSource) -> Definition:
        """Read and check everything; see the port."""
        problems: list[Problem] = []
        environment_file = self._environment_file(source, problems)
        environment = self._environment(source, environment_file, problems)
        bases, found = bases_of(source.folder, source.paths, source.read)
        problems += found
        if environment is not None:
            watch = dict.fromkeys((*environment.watch, *bases.paths))
            environment = replace(environment, watch=tuple(watch), hub=self._known.hub)
        facts = self._facts(source, environment_file, environment, problems)
        problems += broken_rules(facts)
        if environment is not None:
            environment = replace(environment, waits=waits_in(facts))
        if problems or environment is None:
            return Definition(
                environment=environment and self._with_values(environment),
                workflow=None,
                problems=errors(problems),
            )
        if facts.workflow is None:
            held = first_cloud_resource(
                environment, source, bases.files, self._known.cloud
            )
            if held is not None and facts.lacks_hub:
                return Definition(
                    environment=self._with_values(environment),
                    workflow=None,
                    problems=errors([no_hub_for(held)]),
                )
            workflow = generated_workflow(
                environment, self._catalogue, has_cloud=held is not None
            )
        else:
            workflow = core_workflow(facts)
            environment = replace(environment, targets=_targets(facts, environment))
        return Definition(environment=self._with_values(environment), workflow=workflow)

    def waits(self, source: FolderSource) -> tuple[Wait, ...]:
        """What an environment waits for, as far as its files can be read."""
        problems: list[Problem] = []
        file = self._environment_file(source, problems)
        environment = self._environment(source, file, problems)
        return waits_in(self._facts(source, file, environment, problems))

    def entries(self, path: str, data: bytes) -> Sequence[Entry]:
        """An approvals file's entries; DefinitionError where it is wrong."""
        entries: list[Entry] = []
        for one in read_decisions({path: data}):
            if isinstance(one, DefinitionError):
                raise one
            entries.append(one)
        return entries

    def entry_problems(self, path: str, data: bytes) -> Sequence[DefinitionError]:
        """Everything that is wrong with an approvals file."""
        found = read_decisions({path: data})
        return [one for one in found if isinstance(one, DefinitionError)]

    def _facts(
        self,
        source: FolderSource,
        environment_file: _File,
        environment: Environment | None,
        problems: list[Problem],
    ) -> Facts:
        workflow_file = self._workflow_file(source, environment, problems)
        return Facts(
            source=source,
            known=self._known,
            environment_path=environment_file.path,
            environment_document=environment_file.document,
            environment_file=environment_file.model,
            environment=environment,
            workflow_path=workflow_file.path,
            workflow_document=workflow_file.document,
            workflow=workflow_file.model,
            catalogue=self._catalogue,
        )

    def _environment_file(self, source: FolderSource, problems: list[Problem]) -> _File:
        path = _join(source.folder, ENVIRONMENT)
        if ENVIRONMENT not in source.paths:
            return _File(path=path)
        mend = f"write apiVersion: {API_VERSION} and kind: Environment, or remove it"
        return _read(source, path, EnvironmentFile, mend, problems)

    def _environment(
        self, source: FolderSource, file: _File, problems: list[Problem]
    ) -> Environment | None:
        if file.model is None:
            if file.document is not None:
                return None
            return Environment(
                name=source.name, folder=source.folder, targets=source.targets
            )
        model: EnvironmentFile = file.model
        paths = [resolved(source.folder, path) for path in model.watch]
        chart = None
        if model.helm is not None:
            chart, found = chart_of(
                model.helm, source.folder, file.path, file.document or {}, source.read
            )
            problems += found
            paths += needs(chart, source.folder) if chart else ()
        return model.to_core(
            name=source.name,
            folder=source.folder,
            targets=source.targets,
            workflow_ref=None
            if model.workflow is None
            else resolved(source.folder, model.workflow.ref),
            watch=tuple(path for path in paths if path is not None),
            helm=chart,
            groups=self._known.groups,
            after=tuple(
                # One that means nothing is told of by its rule.
                part.to_core(
                    meant(source, self._known, part.environment)
                    or environment_id(
                        source.repository, EnvironmentName(part.environment)
                    ),
                    source.repository,
                )
                for part in model.after
            ),
        )

    def _with_values(self, environment: Environment) -> Environment:
        """Give it what the daemon config says of variables on its targets."""
        declared = environment.substitute
        if declared is None:
            return environment
        given = declared.with_given(self._known.values, environment.targets)
        return replace(environment, substitute=given)

    def _workflow_file(
        self,
        source: FolderSource,
        environment: Environment | None,
        problems: list[Problem],
    ) -> _File:
        own = _join(source.folder, WORKFLOW)
        path = own
        if environment is not None and environment.workflow_ref is not None:
            path = environment.workflow_ref
        elif WORKFLOW not in source.paths:
            return _File(path=own)
        mend = f"write apiVersion: {API_VERSION}, kind: Workflow and steps"
        return _read(source, path, WorkflowFile, mend, problems)


def _targets(facts: Facts, environment: Environment) -> tuple[TargetName, ...]:
    """What environment.yaml names; else what the steps of the workflow write to.

    The hub only where the environment is delivered there, too, and no place that only
    gets a copy.
    """
    if facts.declared_targets:
        return environment.targets
    written = (
        target
        for step in facts.steps
        if not step.goes_further
        for target in facts.targets_of.get(step.location, ())
        if target != environment.hub or not step.goes_to_hub
    )
    return tuple(dict.fromkeys(written))


def _read(
    source: FolderSource,
    path: str,
    model: type[BaseModel],
    mend: str,
    problems: list[Problem],
) -> _File:
    try:
        data = source.read(path)
    except DefinitionError as exc:
        problems.append(
            Problem(rule="yaml", path=exc.path, line=exc.line, message=exc.message)
        )
        return _File(path=path, document={})
    if data is None:
        return _File(path=path)  # told by the rule about references
    document, found = single_map(data, path)
    if document is None and not found:
        found = [empty_file(path, mend)]
    if document is None or found:
        problems += found
        return _File(path=path, document={})
    value, found = shaped(model, document, path)
    problems += found
    return _File(path=path, document=document, model=value)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _as_name(part: str) -> str:
    name = _NO_NAME.sub("-", part.lower()).strip("-")
    return name[:MAX_NAME].rstrip("-") or "root"
