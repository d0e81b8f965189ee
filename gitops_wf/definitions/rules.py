"""Every rule that a definition keeps, in one table.

A rule without a check is kept by the shape of a file (the models and `yaml_text`),
whose errors carry its id. Each rule has a file that breaks it, with the text that the
user then reads, in `tests/data/definitions/invalid`; a test fails for one without.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gitops_wf.definitions import daemon_rules as config
from gitops_wf.definitions import environment_rules as environment
from gitops_wf.definitions import expression_rules as expression
from gitops_wf.definitions import workflow_rules as workflow
from gitops_wf.definitions.daemon_file import DaemonFile
from gitops_wf.definitions.daemon_rules import DaemonCheck
from gitops_wf.definitions.facts import Facts
from gitops_wf.definitions.finding import Check
from gitops_wf.definitions.problems import MOST_PROBLEMS, Problem, line_at


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its id, what it says, and who finds it broken."""

    id: str
    sentence: str
    check: Check | None = None
    daemon_check: DaemonCheck | None = None


RULES: tuple[Rule, ...] = (
    # The shape of any file.
    Rule("yaml", "A file is YAML within the caps, without tags and duplicate keys."),
    Rule("one-document", "A control file holds one document, and that is a map."),
    Rule("unknown-key", "A map has only keys that are known."),
    Rule("missing-key", "A map has the keys that it must have."),
    Rule("wrong-type", "A value is of its field's kind: text, number, list, map."),
    Rule("wrong-value", "A value is one of those that its field takes."),
    Rule("name-syntax", "Names are DNS labels of at most 63 characters."),
    Rule("output-name-syntax", "Names of outputs are words of at most 63 characters."),
    Rule("variable-syntax", "Names of variables are those of a shell."),
    Rule("duration-syntax", "Durations are numbers with units, as in Go."),
    Rule("duration-bounds", "Durations are longer than nothing and at most a year."),
    Rule("size-syntax", "Sizes are numbers with units, as of Kubernetes' memory."),
    Rule("size-bounds", "Sizes are within what their field can use."),
    Rule("person-syntax", "People are named by e-mail addresses."),
    # The folder.
    Rule(
        "control-file-name",
        "Control files and approvals end in .yaml.",
        environment.control_file_name,
    ),
    # environment.yaml
    Rule("duplicate-target", "An environment names each target once."),
    Rule(
        "unknown-target",
        "An environment's targets are in the daemon config.",
        environment.unknown_target,
        config.unknown_config_target,
    ),
    Rule(
        "no-targets",
        "An environment without a workflow has a target to deliver to.",
        environment.no_targets,
    ),
    Rule(
        "unknown-channel",
        "Channels are in the daemon config.",
        environment.unknown_channel,
        config.unknown_config_channel,
    ),
    Rule(
        "unknown-group",
        "Approvers are people, or groups of the daemon config.",
        environment.unknown_group,
        config.unknown_config_group,
    ),
    Rule(
        "quorum-bounds",
        "No policy asks for more approvals than it has approvers.",
        environment.too_few_approvers,
        config.too_few_config_approvers,
    ),
    Rule(
        "after-itself",
        "An environment does not wait for itself.",
        environment.after_itself,
    ),
    Rule(
        "after-unknown",
        "An environment waits for others that there are, or of watched repositories.",
        environment.after_unknown,
    ),
    Rule(
        "watch-outside",
        "Watched paths stay inside the repository.",
        environment.watch_outside,
    ),
    Rule(
        "ref-outside",
        "A referenced workflow stands inside the repository.",
        environment.ref_outside,
    ),
    Rule("ref-missing", "A referenced workflow is there.", environment.ref_missing),
    Rule(
        "two-workflows",
        "An environment has one workflow: its own, or a referenced one.",
        environment.two_workflows,
    ),
    Rule(
        "push-not-allowed",
        "The daemon commits only where its config says so.",
        environment.push_not_allowed,
    ),
    Rule("pointer-syntax", "Paths of `drift.ignore` are JSON pointers (RFC 6901)."),
    Rule("pointer-identity", "What makes an object this one cannot be ignored."),
    Rule("ignore-nothing", "A rule of `drift.ignore` says what may differ."),
    # workflow.yaml
    Rule(
        "duplicate-step",
        "Names of steps are unique in a workflow.",
        workflow.duplicate_step,
    ),
    Rule(
        "workflow-bounds",
        "A workflow has at most 200 steps and 50,000 characters of expressions.",
    ),
    Rule("unknown-type", "A step's type is installed.", workflow.unknown_type),
    Rule(
        "unknown-property",
        "A step has only properties that its type takes.",
        workflow.unknown_property,
    ),
    Rule(
        "wrong-property",
        "A step's properties are what its type takes.",
        workflow.wrong_property,
    ),
    Rule("nested-group", "Groups hold no groups.", workflow.nested_group),
    Rule(
        "group-shape",
        "Groups have sub-steps, and nothing else does.",
        workflow.group_shape,
    ),
    Rule(
        "unknown-depends-on",
        "`dependsOn` names steps of the workflow.",
        workflow.unknown_depends_on,
    ),
    Rule(
        "unknown-input",
        "Inputs come from outputs, or from what every step sees.",
        workflow.unknown_input,
    ),
    Rule(
        "duplicate-output",
        "Names of outputs are unique in a workflow.",
        workflow.duplicate_output,
    ),
    Rule("circle", "No steps wait for each other.", workflow.circle),
    Rule(
        "retry-bounds",
        "Retries and their pauses are bounded.",
        workflow.retry_bounds,
    ),
    Rule(
        "suspend-ends-twice",
        "A suspend step goes on by itself or fails by itself, not both.",
        workflow.suspend_ends_twice,
    ),
    Rule(
        "step-timeout",
        "A step's `timeout` is longer than what its properties ask for.",
        workflow.step_timeout,
    ),
    Rule(
        "step-environment",
        "A step waits for environments that there are, or of watched repositories.",
        workflow.step_environment,
    ),
    Rule(
        "step-target",
        "A step writes to targets of its environment, known when it is read.",
        workflow.step_target,
    ),
    Rule(
        "undelivered-target",
        "Each target of an environment is delivered to.",
        workflow.undelivered_target,
    ),
    Rule("no-hub", "Cloud resources have a hub to go to.", workflow.no_hub),
    Rule("step-file", "Files that steps use are there.", workflow.step_file),
    Rule(
        "secret-not-granted",
        "Steps use only secrets that are granted to their environment.",
        workflow.secret_not_granted,
    ),
    Rule(
        "if-expression",
        "An `if` is `always` or a CEL expression over names that are there.",
        expression.if_expression,
    ),
    Rule(
        "output-expression",
        "A `valueFrom` is a CEL expression over names that are there.",
        expression.output_expression,
    ),
    Rule(
        "property-expression",
        "Each `${{ … }}` is a CEL expression over names that are there.",
        expression.property_expression,
    ),
    Rule(
        "output-not-before",
        "An output is read only after its step has ended.",
        expression.output_not_before,
    ),
    # approvals
    Rule("revision-syntax", "A decision names its revision by 7 or more hex digits."),
    Rule("digest-syntax", "A digest is a SHA-256 in hex."),
    Rule("instant-syntax", "An instant has a date, a time and a zone."),
    # The daemon config.
    Rule("repository-url", "A repository's URL is safe and holds no credentials."),
    Rule("commit-url", "The address of a repository's commits holds {commit}."),
    Rule("glob-syntax", "Patterns of environments stay inside the repository."),
    Rule("target-kind", "A target is of exactly one kind."),
    Rule(
        "impersonated-identity",
        "A cluster is asked as one user, whose name can be sent.",
    ),
    Rule("secret-source", "A secret has exactly one source."),
    Rule(
        "unknown-secret",
        "References to secrets name those of the daemon config.",
        None,
        config.unknown_config_secret,
    ),
    Rule("cron-syntax", "A freeze window begins by a cron expression that occurs."),
    Rule("time-zone", "A freeze window's time zone exists."),
    Rule("freeze-missing", "Only a rule with windows says what passes them."),
    Rule("store-url", "The store is an SQLite file or a PostgreSQL URL."),
    Rule("health-api-version", "A health rule is for a group of kinds."),
    Rule("health-kinds", "A health rule names its kinds in one way."),
    Rule(
        "health-expression",
        "A health rule's expressions are CEL over spec, status, metadata, conditions.",
    ),
    Rule("cloud-api-version", "A rule of cloud resources is for custom kinds."),
    Rule("cloud-kinds", "A rule of cloud resources says which objects it is for."),
    Rule("cloud-field", "A rule of cloud resources names fields by their paths."),
    Rule(
        "cloud-expression",
        "Where a Secret is, is CEL over spec, status, metadata, conditions.",
    ),
    Rule("network-syntax", "Networks are addresses, or CIDR."),
    Rule("server-syntax", "The server's address is host:port."),
)


def broken_rules(facts: Facts) -> Iterator[Problem]:
    """Every problem of an environment's definition as a whole."""
    for rule in RULES:
        if rule.check is not None:
            for finding in islice(rule.check(facts), MOST_PROBLEMS + 1):
                yield finding.problem(rule.id, facts)


def broken_daemon_rules(
    file: DaemonFile, document: Any, path: str
) -> Iterator[Problem]:
    """Every problem of a daemon config as a whole."""
    for rule in RULES:
        if rule.daemon_check is not None:
            checked = rule.daemon_check(file, document)
            for location, message in islice(checked, MOST_PROBLEMS + 1):
                yield Problem(
                    rule=rule.id,
                    path=path,
                    line=line_at(document, location),
                    message=message,
                )
