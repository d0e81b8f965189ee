"""Environments that wait for each other are found, however long the way is."""

import pytest

from gitops_wf.core.environment import Wait
from gitops_wf.core.identifiers import EnvironmentName
from gitops_wf.core.waiting import circle_problem


def problem_of(start: str, **waits: str):
    """What is wrong with one, where each waits for others in the lines of a file."""
    asked = []

    def waits_of(name):
        asked.append(name)
        return tuple(
            Wait(environment=EnvironmentName(each), path=f"{name}.yaml", line=line)
            for line, each in enumerate(waits.get(name, "").split(), start=4)
        )

    problem = circle_problem(EnvironmentName(start), waits_of)
    assert len(asked) == len(set(asked))
    return problem


def test_two_that_wait_for_each_other_are_named_with_where_they_say_so():
    problem = problem_of("prod", prod="staging", staging="test prod")

    assert str(problem) == (
        "prod.yaml:4: prod waits for staging (prod.yaml:4), which waits for prod"
        " (staging.yaml:5): a commit that changes them all would never be released;"
        " remove one of these waits"
    )


def test_the_shortest_of_several_circles_is_named():
    problem = problem_of("a", a="b c", b="d", d="a", c="a")

    assert "a waits for c (a.yaml:5), which waits for a (c.yaml:4):" in str(problem)


def test_a_longer_circle_is_named_as_a_whole():
    problem = problem_of("a", a="b", b="c", c="d", d="a")

    assert str(problem).count("which waits for") == 3


@pytest.mark.parametrize(
    "waits",
    [
        {"a": "b", "b": "c"},
        {"a": "b c", "b": "d", "c": "d"},
        {"a": "gone"},
        {"a": "a"},
        {"a": "b", "b": "c", "c": "b"},
    ],
    ids=["a chain", "two ways", "not there", "itself", "others in a circle"],
)
def test_what_is_no_circle_of_this_one_is_nothing_wrong_with_it(waits):
    assert problem_of("a", **waits) is None


def test_a_long_chain_is_walked_in_one_go():
    chain = {f"e{n}": f"e{n + 1}" for n in range(3000)}

    assert problem_of("e0", **chain) is None
    assert problem_of("e0", **chain, e3000="e0") is not None
