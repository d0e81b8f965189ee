"""Checks of a workflow's steps, their order and their targets."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pydantic_core import ErrorDetails

from gitops_wf.core.durations import format_duration
from gitops_wf.core.errors import cut
from gitops_wf.core.expressions import ROOTS, did_you_mean
from gitops_wf.core.identifiers import environment_id
from gitops_wf.definitions import kubevela
from gitops_wf.definitions.environment_rules import no_environment
from gitops_wf.definitions.expression_texts import written_expressions
from gitops_wf.definitions.facts import Facts, StepFact
from gitops_wf.definitions.finding import Finding, in_environment, in_workflow
from gitops_wf.definitions.order import Order
from gitops_wf.definitions.problems import Location
from gitops_wf.definitions.shape import keys_at, rule_of, sentence
from gitops_wf.ports.properties import Verbatim
from gitops_wf.ports.runner import StepType, writes_nowhere

DELIVERY = "deploy2env"
SUSPEND = "suspend"
GROUP = "step-group"


def duplicate_step(facts: Facts) -> Iterator[Finding]:
    """Names of steps, sub-steps among them, that are used twice."""
    seen: dict[str, StepFact] = {}
    for step in facts.steps:
        if step.name in seen:
            yield in_workflow(
                step.at("name"),
                f"another step is called `{step.name}`; names are unique in a workflow,"
                " sub-steps included",
            )
        seen.setdefault(step.name, step)


def unknown_type(facts: Facts) -> Iterator[Finding]:
    """Types that are not installed."""
    for step in facts.steps:
        if step.type is None:
            known = facts.catalogue.names()
            mend = kubevela.TYPES.get(step.part.type)
            yield in_workflow(
                step.at("type"),
                f"unknown step type `{cut(step.part.type, 64)}`"
                + (f"; {mend}" if mend else did_you_mean(step.part.type, known)),
            )


def unknown_property(facts: Facts) -> Iterator[Finding]:
    """Properties that a type does not take."""
    for step in facts.steps:
        yield from _property_errors(step, {"unknown-key"})
        if step.type is None:
            continue
        known = set(keys_at(step.type.properties, ()))
        for number, item in enumerate(step.part.inputs):
            root = item.parameter_key.split(".", maxsplit=1)[0]
            if root and root not in known:
                yield in_workflow(
                    step.at("inputs", number, "parameterKey"),
                    f"`{cut(root, 64)}` is no property of {step.type.name}"
                    f"{did_you_mean(root, known)}",
                )


def wrong_property(facts: Facts) -> Iterator[Finding]:
    """Properties that are missing, or not what a type takes."""
    for step in facts.steps:
        yield from _property_errors(step, None)


def _property_errors(step: StepFact, rules: set[str] | None) -> Iterator[Finding]:
    for error in step.property_errors:
        if step.type is None:
            continue
        rule = rule_of(error)
        if (rules is None and rule != "unknown-key") or (rules and rule in rules):
            text = _foreign(step.type, error) or sentence(error, step.type.properties)
            yield in_workflow(
                step.at("properties", *error["loc"]), f"step `{step.name}`: {text}"
            )


def _foreign(step_type: StepType, error: ErrorDetails) -> str:
    """What to write instead of a property that only KubeVela has."""
    if rule_of(error) != "unknown-key":
        return ""
    path = [part for part in error["loc"] if isinstance(part, str)]
    mend = kubevela.PROPERTIES.get(step_type.name, {}).get(".".join(path))
    key = path[-1]
    return f"unknown key `{key}`; {mend}" if mend else ""


def nested_group(facts: Facts) -> Iterator[Finding]:
    """Groups inside groups."""
    for step in facts.steps:
        if step.group is not None and (step.is_group or step.part.sub_steps):
            yield in_workflow(
                step.at("type"),
                f"`{step.name}` is a group inside the group `{step.group.name}`; put"
                " its steps beside it",
            )


def group_shape(facts: Facts) -> Iterator[Finding]:
    """Groups without steps, and steps of other types with sub-steps."""
    for step in facts.steps:
        if step.type is None or step.group is not None:
            continue
        if step.is_group and not step.part.sub_steps:
            yield in_workflow(
                step.at("type"), f"the group `{step.name}` has no `subSteps`: add some"
            )
        if not step.is_group:
            for key, value in (
                ("subSteps", step.part.sub_steps),
                ("mode", step.part.mode),
            ):
                if value is not None:
                    yield in_workflow(
                        step.at(key),
                        f"only a {GROUP} has `{key}`; `{step.name}` is a"
                        f" {step.type.name}",
                    )


def unknown_depends_on(facts: Facts) -> Iterator[Finding]:
    """`dependsOn` of steps that are not there."""
    known = facts.by_name
    for step in facts.steps:
        for number, name in enumerate(step.part.depends_on):
            if name not in known:
                yield in_workflow(
                    step.at("dependsOn", number),
                    f"there is no step `{name}` to depend on"
                    f"{did_you_mean(name, set(known) - {step.name})}",
                )


def unknown_input(facts: Facts) -> Iterator[Finding]:
    """Inputs from values that nothing gives."""
    known = facts.producers
    for step in facts.steps:
        for number, item in enumerate(step.part.inputs):
            root = item.from_.split(".", maxsplit=1)[0]
            if item.from_ in known or root in known or root in ROOTS - {"inputs"}:
                continue
            yield in_workflow(
                step.at("inputs", number, "from"),
                f"no step has an output `{cut(item.from_, 64)}`"
                f"{did_you_mean(item.from_, known)}",
            )


def duplicate_output(facts: Facts) -> Iterator[Finding]:
    """Outputs of one name from two steps."""
    seen: set[str] = set()
    for step in facts.steps:
        for number, output in enumerate(step.part.outputs):
            if output.name in seen:
                yield in_workflow(
                    step.at("outputs", number, "name"),
                    f"another output is called `{output.name}`; give this one a name of"
                    " its own",
                )
            seen.add(output.name)


def circle(facts: Facts) -> Iterator[Finding]:
    """Steps that wait for each other."""
    if any(n > 1 for n in Counter(step.name for step in facts.steps).values()):
        return  # the names do not say which is meant
    names = Order(facts).circle()
    if len(names) == 1:
        yield in_workflow(
            facts.by_name[names[0]].location,
            f"step `{names[0]}` would wait for itself: `dependsOn`, inputs and an `if`"
            " that reads `status` may only name steps that end before it",
        )
    elif names:
        text = ", ".join(f"`{name}`" for name in names)
        yield in_workflow(
            facts.by_name[names[0]].location,
            f"steps {text} would wait for each other for ever; `dependsOn`, inputs and"
            " an `if` that reads `status` may only name steps that end before",
        )


def retry_bounds(facts: Facts) -> Iterator[Finding]:
    """A longest pause that is shorter than the first."""
    for step in facts.steps:
        retry = step.part.retry
        if retry and retry.backoff.max_duration < retry.backoff.duration:
            yield in_workflow(
                step.at("retry", "backoff"),
                f"step `{step.name}`: backoff.maxDuration is shorter than"
                " backoff.duration",
            )


def suspend_ends_twice(facts: Facts) -> Iterator[Finding]:
    """A suspend step that goes on by itself and also fails by itself."""
    for step in facts.steps:
        if step.type is None or step.type.name != SUSPEND:
            continue
        if "duration" in step.part.properties and step.part.timeout is not None:
            yield in_workflow(
                step.at("timeout"),
                f"step `{step.name}`: with `duration` it goes on by itself, with"
                " `timeout` it fails; write one of them",
            )


def step_timeout(facts: Facts) -> Iterator[Finding]:
    """Timeouts that end a step before it can have done what it says."""
    for step in facts.steps:
        taken = facts.taken_by(step)
        if step.part.timeout is not None and step.part.timeout <= taken:
            yield in_workflow(
                step.at("timeout"),
                f"step `{step.name}`: `timeout` ends it before it can be done: by its"
                f" properties it takes {format_duration(taken)}; write a longer one",
            )


def step_environment(facts: Facts) -> Iterator[Finding]:
    """Environments that a step asks for and that are not there."""
    own = environment_id(facts.source.repository, facts.source.name)
    for step in facts.steps:
        for name in facts.environments_of(step):
            meant = None if "${{" in name else facts.meant(name)
            if meant == own:
                yield in_workflow(
                    step.at("properties"),
                    f"step `{step.name}` would wait for its own environment; name"
                    " another",
                )
            elif meant is None and "${{" not in name:
                yield in_workflow(
                    step.at("properties"),
                    f"step `{step.name}`: {no_environment(name, facts)}",
                )


def step_target(facts: Facts) -> Iterator[Finding]:
    """Targets of a step that are not the environment's."""
    for step in facts.steps:
        allowed, whose = facts.allowed_targets, "of this environment"
        if step.goes_further or not facts.declared_targets:
            allowed, whose = facts.configured_targets, "of the daemon config"
        yield from _computed_targets(step)
        writes = step.type is not None and step.type.targets is not writes_nowhere
        writes = writes and not (step.goes_to_hub or step.goes_further)
        if writes and facts.targets_of.get(step.location) == ():
            yield in_workflow(
                step.at("type"),
                f"step `{step.name}`: the environment has no targets to deliver to;"
                " write `target` here, or `targets` in environment.yaml",
            )
        read = facts.reads_of.get(step.location, ())
        if len(read) > 1:
            yield in_workflow(
                step.at("properties"),
                f"step `{step.name}`: the environment has several targets"
                f" ({', '.join(read)}); write `target` for the one that is read",
            )
            continue
        if allowed is None:
            continue
        hub = facts.known.hub if step.goes_to_hub else None
        for target in (*facts.targets_of.get(step.location, ()), *read):
            if target not in {*allowed, hub} and "${{" not in target:
                yield in_workflow(
                    _target_location(step, target),
                    f"step `{step.name}`: `{cut(target, 64)}` is no target {whose}"
                    f"{did_you_mean(target, allowed)}",
                )


def _computed_targets(step: StepFact) -> Iterator[Finding]:
    """Targets that are known only when the step runs: too late for gates."""
    mend = "must be written out: gates and queues need it before the step runs"
    for key in ("target", "targets"):
        for location, _ in written_expressions(step.part.properties.get(key)):
            yield in_workflow(
                step.at("properties", key, *location),
                f"step `{step.name}`: {key} {mend}",
            )
    placements = step.part.properties.get("placements")
    for number, each in enumerate(placements if isinstance(placements, list) else ()):
        place = each.get("target") if isinstance(each, dict) else None
        for location, _ in written_expressions(place):
            yield in_workflow(
                step.at("properties", "placements", number, "target", *location),
                f"step `{step.name}`: target {mend}",
            )
    for number, item in enumerate(step.part.inputs):
        key = item.parameter_key.split(".", maxsplit=1)[0]
        if key in {"target", "targets", "placements"}:
            yield in_workflow(
                step.at("inputs", number, "parameterKey"),
                f"step `{step.name}`: {key} {mend}",
            )


def no_hub(facts: Facts) -> Iterator[Finding]:
    """Cloud resources, where the daemon config has no hub for them."""
    for step in facts.steps:
        if step.goes_to_hub and facts.lacks_hub:
            yield in_workflow(
                step.at("type"),
                f"step `{step.name}`: cloud resources go to the hub, and the daemon"
                " config names none: write `hub: NAME` there, the name of a target",
            )


def _target_location(step: StepFact, target: str) -> Location:
    if step.part.properties.get("target") == target:
        return step.at("properties", "target")
    several = step.part.properties.get("targets")
    if isinstance(several, list) and target in several:
        return step.at("properties", "targets", several.index(target))
    placements = step.part.properties.get("placements")
    for number, each in enumerate(placements if isinstance(placements, list) else ()):
        if isinstance(each, dict) and each.get("target") == target:
            return step.at("properties", "placements", number, "target")
    return step.at("properties")


def undelivered_target(facts: Facts) -> Iterator[Finding]:
    """Targets of the environment that no step delivers to."""
    steps = facts.steps
    if not steps:
        return
    if any(step.type is None or step.properties is None for step in steps):
        return  # what these steps deliver is not known yet
    reached = {
        target
        for step in steps
        if step.type is not None
        and (step.type.owns_objects or step.type.name == DELIVERY)
        for target in facts.targets_of.get(step.location, ())
    }
    for number, target in enumerate(facts.declared_targets):
        if target not in reached:
            yield in_environment(
                ("targets", number),
                f"no {DELIVERY} step of the workflow delivers to the target"
                f" `{target}`; add one, or leave the target out",
            )


def step_file(facts: Facts) -> Iterator[Finding]:
    """Files that a step uses and that are not there."""
    if facts.environment is None:
        return
    folder = facts.source.folder
    for step in facts.steps:
        if step.type is None or step.properties is None:
            continue
        for path in step.type.files(step.properties, facts.environment):
            inside = path.removeprefix(f"{folder}/") if folder else path
            if inside not in facts.source.paths and "${{" not in path:
                yield in_workflow(
                    step.at("properties"),
                    f"step `{step.name}`: there is no file {cut(path, 120)} at this"
                    " commit",
                )


def secret_not_granted(facts: Facts) -> Iterator[Finding]:
    """Secrets that the daemon config does not grant to the environment."""
    granted = facts.known.secrets
    if granted is None:
        return
    environment = environment_id(facts.source.repository, facts.source.name)
    for step in facts.steps:
        verbatim = _verbatim(step)
        for location, name in _secrets(step.part.properties, ()):
            if location[0] in verbatim:
                continue
            grant = granted.get(name)
            if grant is None or not grant.allows_environment(environment):
                # One text for both: nobody learns which secrets there are.
                yield in_workflow(
                    step.at("properties", *location),
                    f"step `{step.name}`: secret `{cut(name, 64)}` is not granted to"
                    f" {environment}; the daemon config names who may use it",
                )


def _verbatim(step: StepFact) -> set[str]:
    """Properties that are passed on as they are, by the names in YAML."""
    if step.type is None:
        return set()
    return {
        info.alias or name
        for name, info in step.type.properties.model_fields.items()
        if any(isinstance(each, Verbatim) for each in info.metadata)
    }


def _secrets(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    if isinstance(value, dict):
        reference = value.get("secretRef")
        if isinstance(reference, dict) and isinstance(reference.get("name"), str):
            yield (*location, "secretRef", "name"), reference["name"]
        headers = value.get("headersFromSecret")
        for number, entry in enumerate(headers if isinstance(headers, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("secret"), str):
                place = (*location, "headersFromSecret", number, "secret")
                yield place, entry["secret"]
        for key, item in value.items():
            yield from _secrets(item, (*location, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _secrets(item, (*location, number))
