"""Names are checked on the tree when an expression is read."""

import pytest

from gitops_wf.core.expressions import ExpressionError, Scope, parse

SCOPE = Scope(
    steps=frozenset({"deploy", "go-live", "smoke"}),
    outputs=frozenset({"version", "image-tag"}),
    inputs=frozenset({"region"}),
    fields=(("run", frozenset({"outcome"})),),
)


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("status.deplyo.failed", "unknown step `deplyo`; did you mean `deploy`?", 0),
        (
            "true && outputs.versoin == ''",
            "unknown output `versoin`; did you mean `version`?",
            8,
        ),
        ("inputs.regoin", "unknown input `regoin`; did you mean `region`?", 0),
        ("stauts.deploy.failed", "unknown name `stauts`; did you mean `status`?", 0),
        ("run.outcom", "unknown field `run.outcom`; did you mean `outcome`?", 0),
        (
            "status.deploy.succeded",
            "a step's status has no `succeded`; did you mean `succeeded`?",
            0,
        ),
        (
            "has(status.nothing)",
            "unknown step `nothing`; known: deploy, go-live, smoke",
            4,
        ),
        (
            "[1].all(x, y)",
            "unknown name `y`; known: context, environment, inputs, outputs, revision, run, status",
            11,
        ),
        (
            "[1].all(status, true)",
            "`status` is already a name here; give the item of `all` another",
            0,
        ),
    ],
)
def test_an_unknown_name_is_an_error_with_what_was_meant(text, message, offset):
    with pytest.raises(ExpressionError) as caught:
        parse(text, scope=SCOPE)

    assert (caught.value.message, caught.value.offset) == (message, offset)


@pytest.mark.parametrize(
    "text", ["status.go-live.failed", "!(status . go - live.failed)", "status.go-live"]
)
def test_a_dash_in_a_name_says_what_to_write(text):
    with pytest.raises(ExpressionError) as caught:
        parse(text, scope=SCOPE)

    assert caught.value.message == (
        "`status.go-live` is a subtraction; write `status.go_live` or"
        ' `status["go-live"]`'
    )


def test_a_dash_is_noticed_without_a_list_of_steps():
    with pytest.raises(ExpressionError, match=r"write `status.go_live`"):
        parse("status.go-live.failed")


def test_subtraction_of_known_names_stays_subtraction():
    scope = Scope(outputs=frozenset({"a", "b"}))

    value = parse("outputs.a-outputs.b", scope=scope).evaluate(
        {"outputs": {"a": 3, "b": 1}}
    )

    assert value == 2


@pytest.mark.parametrize("text", ["status.go_live.failed", 'status["go-live"].failed'])
def test_a_name_with_a_dash_has_two_spellings(text):
    expression = parse(text, scope=SCOPE)

    assert expression.steps == {"go-live"}
    assert expression.evaluate({"status": {"go-live": {"failed": True}}}) is True


def test_the_exact_name_wins_over_the_spelling():
    variables = {"outputs": {"a_b": 1, "a-b": 2}}

    assert parse("outputs.a_b").evaluate(variables) == 1
    assert parse('outputs["a-b"]').evaluate(variables) == 2


def test_an_expression_knows_what_it_reads():
    expression = parse(
        'status.deploy.failed || outputs["image-tag"] == inputs.region', scope=SCOPE
    )

    assert expression.reads_status
    assert expression.reads.steps == {"deploy"}
    assert expression.reads.outputs == {"image-tag"}
    assert expression.reads.inputs == {"region"}
    assert expression.reads.roots == {"status", "outputs", "inputs"}


def test_a_macro_over_all_steps_reads_status():
    expression = parse("status.exists(s, status[s].failed)", scope=SCOPE)

    assert expression.reads_status
    assert expression.evaluate({"status": {"deploy": {"failed": True}}}) is True


def test_a_text_in_quotes_names_nothing():
    assert parse("\"status.nothing\" != 'outputs.x'", scope=SCOPE).reads.roots == set()


@pytest.mark.parametrize("text", ["secrets.git == 'a'", "has(secret.git)", "secrets"])
def test_a_secret_in_an_expression_is_refused_with_the_way_that_there_is(text):
    with pytest.raises(
        ExpressionError, match=r"no expression reads a secret.*secretRef"
    ):
        parse(text)
