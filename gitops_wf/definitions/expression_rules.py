"""Checks of the expressions of a workflow: `if`, `valueFrom` and `${{ … }}`."""

from collections.abc import Iterator
from contextlib import suppress

from gitops_wf.core.expressions import (
    ROOTS,
    Expression,
    ExpressionError,
    Scope,
    parse,
    parse_condition,
    parse_template,
)
from gitops_wf.definitions.expression_texts import written_expressions
from gitops_wf.definitions.facts import Facts, StepFact
from gitops_wf.definitions.finding import Finding, in_workflow
from gitops_wf.definitions.order import Order
from gitops_wf.definitions.problems import Location

# What core.engine.variables gives; a test compares them.
FIELDS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "revision",
        frozenset(
            {
                "number", "commit", "short", "branch", "rollback", "changed", "source",
                "author", "subject",
            }
        ),
    ),
    ("environment", frozenset({"name", "application", "targets"})),
    ("run", frozenset({"id", "ordinal", "outcome", "started"})),
    ("context", frozenset({"name", "appName", "revision", "commit"})),
)  # fmt: skip


def if_expression(facts: Facts) -> Iterator[Finding]:
    """The `if` of each step."""
    for step in facts.steps:
        text = step.part.if_
        if text is None:
            continue
        try:
            parse_condition(text, scope=_scope(facts, step))
        except ExpressionError as exc:
            yield _finding(step.at("if"), f"step `{step.name}`: if", text, exc)


def output_expression(facts: Facts) -> Iterator[Finding]:
    """The `valueFrom` of each output."""
    for step in facts.steps:
        roots = frozenset(step.type.output_roots if step.type else ())
        if step.type is None:
            continue
        for number, output in enumerate(step.part.outputs):
            try:
                parse(output.value_from, scope=_scope(facts, step, roots))
            except ExpressionError as exc:
                yield _finding(
                    step.at("outputs", number, "valueFrom"),
                    f"step `{step.name}`: valueFrom",
                    output.value_from,
                    exc,
                )


def property_expression(facts: Facts) -> Iterator[Finding]:
    """Each `${{ … }}` of the properties."""
    for step in facts.steps:
        for location, text in written_expressions(step.part.properties):
            try:
                parse_template(text, scope=_scope(facts, step))
            except ExpressionError as exc:
                where = ".".join(map(str, location))
                yield _finding(
                    step.at("properties", *location),
                    f"step `{step.name}`: {where}",
                    text,
                    exc,
                )


def output_not_before(facts: Facts) -> Iterator[Finding]:
    """Outputs that are read where they may not be there yet."""
    order = Order(facts)
    if order.circle():
        return
    for step in facts.steps:
        before: frozenset[str] | None = None
        for location, expression in _readers(step):
            for name in sorted(expression.reads.outputs):
                producer = facts.producers.get(name) or facts.producers.get(
                    name.replace("_", "-")
                )
                if producer is None:
                    continue  # told by the expression's own rule
                before = order.before(step.name) if before is None else before
                if producer.name not in before:
                    yield in_workflow(
                        location,
                        f"step `{step.name}` reads the output `{name}` of"
                        f" `{producer.name}`, which may end after it; add `dependsOn:"
                        f" [{producer.name}]`",
                    )


def _readers(step: StepFact) -> Iterator[tuple[Location, Expression]]:
    if step.part.if_ is not None:
        with suppress(ExpressionError):
            condition = parse_condition(step.part.if_)
            if condition.expression is not None:
                yield step.at("if"), condition.expression
    for location, text in written_expressions(step.part.properties):
        with suppress(ExpressionError):
            for expression in parse_template(text).expressions:
                yield step.at("properties", *location), expression


def _scope(
    facts: Facts, step: StepFact, more_roots: frozenset[str] = frozenset()
) -> Scope:
    return Scope(
        roots=ROOTS | more_roots,
        steps=frozenset(facts.by_name),
        outputs=frozenset(facts.producers),
        inputs=frozenset(item.from_ for item in step.part.inputs),
        fields=FIELDS,
    )


def _finding(location: Location, what: str, text: str, exc: ExpressionError) -> Finding:
    below = text[: exc.offset or 0].count("\n")
    return Finding(
        location=location, message=f"{what}: {exc.message}", extra_lines=below
    )
