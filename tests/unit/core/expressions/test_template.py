"""Text with expressions inside, and the three forms of `if`."""

import pytest

from gitops_wf.core.expressions import (
    ExpressionError,
    Scope,
    parse_condition,
    parse_template,
)

VARIABLES = {"outputs": {"version": "1.2", "n": 3, "ok": True, "none": None,
                         "list": [1, "é"], "map": {"a": {"b": 1}}}}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("v${{ outputs.version }} is live", "v1.2 is live"),
        ("${{outputs.n}}", 3),
        ("${{ outputs.list }}", [1, "é"]),
        ("${{ outputs.list }}!", '[1,"é"]!'),
        ("<${{ outputs.none }}>", "<>"),
        ("${{ outputs.ok }}${{ outputs.n }}", "true3"),
        ("${{ '}}' + \"}}\" }} end", "}}}} end"),
        ("${{ {'a': {'b': 1}}.a.b }}x", "1x"),
        ("$${{ outputs.n }}", "${{ outputs.n }}"),
        ("${VAR} $1 }} {{ .Values }}", "${VAR} $1 }} {{ .Values }}"),
    ],
)
def test_a_template_is_filled_in(text, value):
    assert parse_template(text).render(VARIABLES) == value


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("a ${{ outputs.n", "`${{` is not closed; it needs `}}`", 2),
        ("a ${{ 'x }}", "`${{` is not closed; it needs `}}`", 2),
        ("a ${{ }}", "the expression is empty", 6),
        ("a ${{ otputs.n }}", "unknown name `otputs`; did you mean `outputs`?", 6),
    ],
)
def test_an_error_in_a_template_has_its_place_in_the_text(text, message, offset):
    with pytest.raises(ExpressionError) as caught:
        parse_template(text)

    assert (caught.value.message, caught.value.offset) == (message, offset)


def test_a_template_has_a_limited_number_of_expressions():
    with pytest.raises(ExpressionError, match="more than 100"):
        parse_template("${{ 1 }}" * 101)


@pytest.mark.parametrize(
    ("text", "nothing_failed", "runs"),
    [
        (None, True, True),
        (None, False, False),
        ("always", True, True),
        (" always ", False, True),
        ("outputs.n == 3", True, True),
        ("outputs.n == 4", True, False),
        # Else an approval would be asked for a failed deployment.
        ("outputs.n == 3", False, False),
        ("status.deploy.failed", False, True),
        ("!status.deploy.failed", False, False),
    ],
)
def test_an_if_that_reads_status_decides_alone(text, nothing_failed, runs):
    variables = VARIABLES | {"status": {"deploy": {"failed": True}}}

    condition = parse_condition(text)

    assert condition.holds(variables, nothing_failed=nothing_failed) is runs


def test_an_if_is_checked_against_the_scope():
    with pytest.raises(ExpressionError, match="unknown step `smoke`"):
        parse_condition("status.smoke.failed", scope=Scope(steps=frozenset({"deploy"})))
