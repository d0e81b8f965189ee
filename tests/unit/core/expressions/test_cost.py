"""What makes an expression slow is refused, when read or before it is evaluated.

Each text here was measured on the evaluator alone: it took from 50 ms to minutes, or
ended the process.
"""

import pytest

from gitops_wf.core.expressions import ExpressionError, parse

SLOW_WHATEVER_THE_DATA = {
    "seven macros in each other": "[0,1,2,3,4,5,6,7,8,9].all(a, " * 7
    + "true"
    + ")" * 7,
    "three macros in each other": "outputs.x.all(a, outputs.x.all(b, outputs.x.all(c, true)))",
    "a product of maps": "outputs.x.map(a, outputs.x.map(b, outputs.x))",
    "a chain of growing maps": "outputs.x.map(a, outputs.x).map(b, outputs.x.map(c, b))",
    "doubled and doubled again": "[1].map(a, outputs.x + outputs.x)"
    + ".map(b, b + b + b + b + b + b + b + b + b + b)" * 5,
    "a sum of a long string": "+".join(["outputs.x"] * 180),
    "a repeated class": 'outputs.x.matches("\\\\w{200}")',
    "a repetition of a repetition": 'outputs.x.matches("(a{1,100}){1,100}b")',
    "classes in a row, for each item": 'outputs.x.all(a, a.matches("\\\\w\\\\w\\\\w\\\\w"))',
}


@pytest.mark.parametrize(
    "text", SLOW_WHATEVER_THE_DATA.values(), ids=SLOW_WHATEVER_THE_DATA.keys()
)
def test_an_expression_made_to_be_slow_is_refused_when_read(text):
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    ["(" * 900 + "1" + ")" * 900, "[" * 900 + "]" * 900, "!" * 1500 + "true",
     "-" * 1500 + "1", "outputs" + ".a" * 900, "outputs" + "[0]" * 600,
     "true?1:" * 280 + "1", "1" + "-1" * 900, "{1:" * 500 + "1" + "}" * 500],
    ids=["brackets", "lists", "nots", "signs", "fields", "indexes", "choices", "minus",
         "maps"],
)  # fmt: skip
def test_depth_is_refused_before_a_parser_meets_it(text):
    with pytest.raises(ExpressionError, match="nested deeper than 32"):
        parse(text)


def test_a_long_chain_of_or_is_not_deep():
    text = " || ".join(f"status.s{n}.failed" for n in range(90))

    assert len(parse(text).steps) == 90


def test_a_long_text_is_refused():
    with pytest.raises(ExpressionError, match="at most 2048"):
        parse("1 + " * 600 + "1")


def test_an_unfinished_string_of_escapes_costs_no_time():
    # The grammar's own pattern would try 2^500 ways to read it.
    with pytest.raises(ExpressionError, match="not closed"):
        parse('"' + "\\a" * 500)


def test_a_pattern_must_be_written_out():
    with pytest.raises(ExpressionError, match="written out as a string"):
        parse("outputs.a.matches(outputs.b)")


def test_a_pattern_has_at_most_100_characters():
    with pytest.raises(ExpressionError, match="longer than 100"):
        parse(f'outputs.a.matches("{"a" * 101}")')


def test_a_list_of_more_than_a_thousand_items_is_refused():
    expression = parse("outputs.paths.exists(p, p == 3)")

    assert expression.evaluate({"outputs": {"paths": list(range(1000))}}) is True
    with pytest.raises(ExpressionError, match=r"`outputs.paths` has a list of 1001"):
        expression.evaluate({"outputs": {"paths": list(range(1001))}})


@pytest.mark.parametrize(
    "text",
    [
        "outputs.x.all(a, outputs.x.all(b, true))",
        "outputs.x.filter(a, true).size() > 0",
        "outputs.x.map(a, [a, a, a])",
        "outputs.x.all(a, (outputs.x + outputs.x).size() > 0)",
    ],
)
def test_what_is_cheap_for_short_lists_is_refused_for_long_ones(text):
    expression = parse(text)

    expression.evaluate({"outputs": {"x": list(range(50))}})
    with pytest.raises(ExpressionError, match=r"would take too long for `outputs.x`"):
        expression.evaluate({"outputs": {"x": list(range(1000))}})


def test_large_data_is_refused_only_where_it_is_read():
    variables = {"outputs": {"large": ["x" * 1000] * 900, "small": "1.2"}}

    assert parse('outputs.small == "1.2"').evaluate(variables) is True
    with pytest.raises(ExpressionError, match=r"`outputs.large` is too large"):
        parse("outputs.large.size()").evaluate(variables)


def test_endless_data_is_refused():
    loop: list[object] = []
    loop.append(loop)

    with pytest.raises(ExpressionError, match="nested deeper"):
        parse("outputs.x.size()").evaluate({"outputs": {"x": loop}})


def test_two_lists_may_be_compared_with_each_other():
    variables = {"revision": {"changed": ["a/b", "c"]}, "outputs": {"dirs": ["c", "d"]}}
    expression = parse(
        "revision.changed.exists(path, outputs.dirs.exists(d, path.startsWith(d)))"
    )

    assert expression.evaluate_bool(variables) is True
