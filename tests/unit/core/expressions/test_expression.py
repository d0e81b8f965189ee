"""Expressions give plain values, or an error that says what is wrong."""

import contextlib
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_wf.core.expressions import ExpressionError, parse

VARIABLES = {
    "status": {"deploy": {"phase": "Succeeded", "succeeded": True, "failed": False}},
    "outputs": {"version": "1.2.3", "count": 3, "none": None, "for": 1, "a b": 5,
                "hosts": [{"name": "eu", "port": 80}, {"name": "us", "port": 81}]},
    "revision": {"rollback": False, "changed": ["envs/prod/web.yaml"]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("status.deploy.phase == 'Succeeded' && !revision.rollback", True),
        ('revision.changed.exists(p, p.startsWith("envs/"))', True),
        ("outputs.hosts.filter(h, h.port > 80)[0].name", "us"),
        ("outputs.hosts.map(h, h.port > 80, h.name)", ["us"]),
        ("outputs.hosts.map(h, {'n': h.name})", [{"n": "eu"}, {"n": "us"}]),
        ("outputs.hosts.exists_one(h, has(h.port) && h.port == 80)", True),
        ("outputs.count + 1", 4),
        ("outputs.count * 2 - 1 - 1", 4),
        ("-outputs.count", -3),
        ("- -3", 3),
        ("outputs.none == null", True),
        ("outputs['for'] == outputs[\"for\"]", True),
        ("has(outputs.for)", True),
        ('outputs["a b"]', 5),
        ("has(outputs.version)", True),
        ("has(outputs.absent)", False),
        ("has(outputs.absent.further)", False),
        ("has(outputs.absent) && outputs.absent == 'x'", False),
        ("outputs.version + '-' + string(outputs.count)", "1.2.3-3"),
        ("outputs.version.matches('^1[.]')", True),
        ("outputs.count > 2 ? 'many' : 'few'", "many"),
        ("size(outputs.hosts) == outputs.hosts.size()", True),
        ('"\\u00e9\\n\\"\\\\" + r"\\d" + \'"\'', 'é\n"\\\\d"'),
        ('"""a "quoted" text"""', 'a "quoted" text'),
        ("'a' in {'a': 1} && 2 in [1, 2]", True),
        ("1.5 + 2.0 // a comment with 'a quote", 3.5),
        ("0x1F + int('1') - 0x0a + 007 + -0x1", 28),
        ("uint(3)", 3),
        ("type(outputs.count) == int", True),
        ("timestamp('2026-01-02T03:04:05Z')", "2026-01-02T03:04:05Z"),
        ("duration('90s')", "90s"),
        ("true || outputs.absent", True),
        ("[1, [2]] + []", [1, [2]]),
        ("outputs.hosts.all(h, outputs.hosts.exists(o, o.name == h.name))", True),
        ("always || true", None),
    ],
)
def test_an_expression_gives_a_plain_value(text, value):
    if value is None:
        with pytest.raises(ExpressionError, match="unknown name `always`"):
            parse(text)
    else:
        assert parse(text).evaluate(VARIABLES) == value


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("", "the expression is empty", 0),
        ("outputs.a = 3", "unexpected `= 3`; compare with `==`", 10),
        ("outputs.a & true", "unexpected `& true`; write `&&`", 10),
        ("(1 +", "the expression ends too early", 4),
        ("1\n  2", "unexpected `2`", 4),
        ("'abc", "a string is not closed; it needs a ' at its end", 0),
        (r"'\q'", r"`\q` is no escape sequence; write `\\` for a backslash", 1),
        ("b'abc'", "a string with the prefix `b` is not supported; write plain quotes", 0),
        ("outputs.a.contain('x')", "unknown function `contain`; did you mean `contains`?", 10),
        ("startsWith('a', 'b')", "`startsWith` is written x.startsWith(…)", 0),
        ("size(1, 2)", "`size` takes 1 values (with the one before the dot), not 2", 0),
        ("has(1)", "`has` takes one field: has(outputs.version)", 0),
        ("outputs.a.all(true)", "`all` takes a name and an expression: items.all(item, item.ready)", 0),
        ("outputs.a.all(x.y, true)", "the first part of `all` is a new name for the item", 14),
        ("outputs.a{b: 1}", "messages and absolute names of CEL are not supported here", 0),
        ("outputs.`go-live`", 'unexpected ``go-live``; write a name with `-` as `status.go_live` or `status["go-live"]`', 8),
        ("99999999999999999999999", "`99999999999999999999…` is too large a number", 0),
    ],
)  # fmt: skip
def test_a_text_that_is_no_expression_says_what_would_be_right(text, message, offset):
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    assert (caught.value.message, caught.value.offset) == (message, offset)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("outputs.absent == 1", "`outputs.absent` has no value"),
        ("outputs.hosts[0].nope", "a map has no key 'nope'"),
        (
            "outputs.hosts[9]",
            "the expression cannot be evaluated: index out of bounds: 9",
        ),
        (
            "outputs.count / 0",
            "the expression cannot be evaluated: division by zero in CEL expression",
        ),
        (
            "9223372036854775807 + outputs.count",
            "the expression cannot be evaluated: Arithmetic overflow in 'add' on 9223372036854775807 and 3.",
        ),
        ("{1: 2}", "the result has the key 1; keys must be strings"),
        ("1.0 / 0.0", "the result is inf, which is no JSON number"),
    ],
)
def test_an_evaluation_that_fails_says_why(text, message):
    with pytest.raises(ExpressionError) as caught:
        parse(text).evaluate(VARIABLES)

    assert caught.value.message == message


def test_a_condition_that_is_no_boolean_is_an_error():
    with pytest.raises(ExpressionError, match=r"`outputs.count` must be true or false"):
        parse("outputs.count").evaluate_bool(VARIABLES)


def test_a_value_that_is_no_json_is_an_error():
    with pytest.raises(ExpressionError, match=r"`outputs.x` holds a object"):
        parse("outputs.x").evaluate({"outputs": {"x": object()}})


def test_an_integer_beyond_64_bits_is_an_error():
    with pytest.raises(ExpressionError, match="beyond 64 bits"):
        parse("outputs.x").evaluate({"outputs": {"x": 2**70}})


def test_an_expression_is_evaluated_in_any_thread():
    expression = parse("outputs.count + 1")
    values = []

    threads = [
        threading.Thread(target=lambda: values.append(expression.evaluate(VARIABLES)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert values == [4, 4, 4, 4]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_an_expression_error(text):
    try:
        expression = parse(text)
    except ExpressionError:
        return
    with contextlib.suppress(ExpressionError):
        expression.evaluate(VARIABLES)


WORDS = ["status", ".deploy", ".failed", "outputs", ".hosts", ".map(x, ", "x", ")", "(",
         "[", "]", "{", "}", ":", ",", "'a'", '"', "\\", "1", "2.5", "+", "-", "&&", "||",
         "!", "==", " in ", "?", ".size()", "has(", ".matches('a')", "r'", "//", "\n",
         "null", "true", "string(", "if", "\U0001f600"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14).map("".join))
def test_any_mix_of_words_is_an_expression_or_an_expression_error(text):
    with contextlib.suppress(ExpressionError):
        parse(text).evaluate(VARIABLES)
