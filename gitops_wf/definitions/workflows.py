"""The core value of a workflow: from its file, or made where there is none."""

from typing import cast

from gitops_wf.core.environment import Environment
from gitops_wf.core.identifiers import StepName
from gitops_wf.core.workflow import CLOUD_RESOURCE, Mode, Step, Workflow
from gitops_wf.definitions.facts import Facts, StepFact
from gitops_wf.definitions.fields import MAX_NAME
from gitops_wf.definitions.problems import plain
from gitops_wf.definitions.workflow_file import WorkflowFile
from gitops_wf.definitions.workflow_rules import DELIVERY
from gitops_wf.ports.runner import StepCatalogue, StepType


def generated_workflow(
    environment: Environment, catalogue: StepCatalogue, *, has_cloud: bool = False
) -> Workflow:
    """Cloud resources, then one delivery per target, in order, as KubeVela has it."""
    delivery = catalogue.get(DELIVERY)
    cloud = catalogue.get(CLOUD_RESOURCE) if has_cloud else None
    return Workflow(
        steps=(
            *([] if cloud is None else [_cloud_resources(cloud, environment)]),
            *(
                Step(
                    name=StepName(f"deploy-{target}"[:MAX_NAME].rstrip("-")),
                    type=DELIVERY,
                    properties={"target": str(target)},
                    timeout=None if delivery is None else delivery.default_timeout,
                    targets=(target,),
                    owns_objects=delivery is not None and delivery.owns_objects,
                )
                for target in environment.targets
            ),
        )
    )


def _cloud_resources(cloud: StepType, environment: Environment) -> Step:
    return Step(
        name=StepName("cloud-resources"),
        type=cloud.name,
        timeout=cloud.default_timeout,
        targets=cloud.targets(cloud.properties.model_validate({}), environment),
        owns_objects=cloud.owns_objects,
    )


def core_workflow(facts: Facts) -> Workflow:
    """The core's value of a workflow in which nothing is wrong."""
    file = cast("WorkflowFile", facts.workflow)
    steps = facts.steps
    more = {} if file.final_timeout is None else {"final_timeout": file.final_timeout}
    return Workflow(
        steps=tuple(
            _step(facts, step, [sub for sub in steps if sub.group is step.part])
            for step in steps
            if step.group is None
        ),
        mode=file.core_mode,
        sub_mode=file.core_sub_mode,
        timeout=file.timeout,
        **more,
    )


def _step(facts: Facts, step: StepFact, subs: list[StepFact]) -> Step:
    part = step.part
    assert step.type is not None
    return Step(
        name=StepName(part.name),
        type=step.type.name,
        properties=plain(part.properties),
        condition=part.if_,
        timeout=part.timeout or step.type.default_timeout + facts.taken_by(step),
        retry=None if part.retry is None else part.retry.to_core(),
        depends_on=tuple(map(StepName, part.depends_on)),
        inputs=tuple(item.to_core() for item in part.inputs),
        outputs=tuple(output.to_core() for output in part.outputs),
        sub_steps=tuple(_step(facts, sub, []) for sub in subs),
        mode=None if part.mode is None else Mode(part.mode),
        targets=facts.targets_of.get(step.location, ()),
        at_once=step.properties is not None and step.type.at_once(step.properties),
        owns_objects=step.type.owns_objects,
        only_tells=step.type.only_tells,
    )
